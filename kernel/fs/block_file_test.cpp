#include "kernel/fs/block_file.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "kernel/fs/partitions.hpp"
#include "kernel/fs/ram_disk.hpp"
#include "kernel/memory/kernel_buffer.hpp"

namespace pulse {
namespace {

constexpr u64 sector = BlockDevice::sector_bytes;

struct BlockFileTest : testing::Test {
  RamDisk disk{std::vector<u8>(200 * sector, 0xEE)};
  Ref<File> file = open_block_file(disk);

  Result<std::size_t> write(u64 at, std::size_t size, u8 value) {
    std::vector<u8> bytes(size, value);
    KernelBuffer from(bytes.data(), bytes.size());
    file->offset = at;
    return file->write(from);
  }
  Result<std::size_t> read(u64 at, std::vector<u8>& bytes) {
    KernelBuffer into(bytes.data(), bytes.size());
    file->offset = at;
    return file->read(into);
  }
};

TEST_F(BlockFileTest, writes_of_any_place_and_length_leave_what_is_beside_them) {
  struct Row {
    u64 at;
    std::size_t size;
  };
  for (const Row& row : {Row{0, 1}, Row{511, 2}, Row{512, 512}, Row{100, 3000}, Row{1024, 70'000}, Row{77, 66'000}}) {
    std::vector<u8> expected = disk.image();
    const u8 value = static_cast<u8>(row.size);
    std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(row.at), row.size, value);
    EXPECT_EQ(write(row.at, row.size, value), row.size);
    EXPECT_EQ(file->offset, row.at + row.size);
    EXPECT_TRUE(disk.image() == expected) << row.at << " " << row.size;
    std::vector<u8> got(row.size);
    EXPECT_EQ(read(row.at, got), row.size);
    EXPECT_EQ(got, std::vector<u8>(row.size, value));
  }
}

TEST_F(BlockFileTest, the_end_of_the_device_ends_reads_and_refuses_writes) {
  std::vector<u8> got(1000);
  EXPECT_EQ(read(200 * sector - 10, got), 10u);
  EXPECT_EQ(read(200 * sector, got), 0u);
  EXPECT_EQ(write(200 * sector - 10, 100, 1), 10u);
  EXPECT_EQ(write(200 * sector, 1, 1).error(), Errno::NoSpace);
  EXPECT_EQ(file->seek(0, 2), 200 * sector);
  EXPECT_EQ(file->seek(-1, 0).error(), Errno::Invalid);
}

TEST_F(BlockFileTest, an_error_behind_the_first_piece_is_told_by_the_next_call) {
  disk.bad_sector = 100;
  std::vector<u8> got(190 * sector);
  EXPECT_EQ(read(0, got), 64 * sector);
  EXPECT_EQ(read(64 * sector, got).error(), Errno::InputOutput);
}

TEST_F(BlockFileTest, bytes_that_could_not_be_written_are_next_again) {
  disk.bad_sector = 100;
  std::vector<u8> bytes(600);
  KernelBuffer from(bytes.data(), bytes.size());
  file->offset = 100 * sector;
  EXPECT_EQ(file->write(from).error(), Errno::InputOutput);
  EXPECT_EQ(from.remaining(), 600u);
  EXPECT_EQ(file->offset, 100 * sector);
}

TEST_F(BlockFileTest, programs_can_ask_for_its_size_and_geometry) {
  const auto answer = [&](u32 request, auto value) {
    EXPECT_TRUE(file->control(request, reinterpret_cast<u64>(&value))) << request;
    return value;
  };
  EXPECT_EQ(answer(0x8008'1272, u64{1}), 200 * sector) << "BLKGETSIZE64";
  EXPECT_EQ(answer(0x1260, u64{1}), 200u) << "BLKGETSIZE";
  EXPECT_EQ(answer(0x1268, u32{1}), sector) << "BLKSSZGET";
  EXPECT_EQ(answer(0x125E, u32{1}), 0u) << "BLKROGET";
  EXPECT_EQ(file->control(0x5401, 0).error(), Errno::NotTerminal) << "TCGETS";
  EXPECT_TRUE(file->control(0x1261, 0)) << "BLKFLSBUF";
  EXPECT_EQ(disk.flushes, 1u);

  struct Geometry {
    u8 heads, sectors;
    u16 cylinders;
    u64 start;
  };
  Partition part(disk, {1, 63, 100});
  Geometry geometry{};
  ASSERT_TRUE(open_block_file(part)->control(0x0301, reinterpret_cast<u64>(&geometry))) << "HDIO_GETGEO";
  EXPECT_EQ(geometry.heads, 255);
  EXPECT_EQ(geometry.sectors, 63);
  EXPECT_EQ(geometry.cylinders, 0);
  EXPECT_EQ(geometry.start, 63u);
}

}  // namespace
}  // namespace pulse
