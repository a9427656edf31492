#include "kernel/fs/block_file.hpp"

#include <gtest/gtest.h>

#include <vector>

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

}  // namespace
}  // namespace pulse
