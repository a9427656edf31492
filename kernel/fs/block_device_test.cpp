#include "kernel/fs/block_device.hpp"

#include <gtest/gtest.h>

#include <array>

#include "kernel/fs/ram_disk.hpp"

namespace pulse {
namespace {

constexpr u64 sector = BlockDevice::sector_bytes;

TEST(BlockDeviceTest, what_is_written_is_read_back_and_its_neighbours_are_as_before) {
  RamDisk disk(std::vector<u8>(4 * sector, 0xEE));
  const std::vector<u8> two(2 * sector, 0x11);
  ASSERT_TRUE(disk.write(1, two));
  std::vector<u8> all(4 * sector);
  ASSERT_TRUE(disk.read(0, all));
  EXPECT_EQ(all[sector - 1], 0xEE);
  EXPECT_EQ(all[sector], 0x11);
  EXPECT_EQ(all[3 * sector - 1], 0x11);
  EXPECT_EQ(all[3 * sector], 0xEE);
}

TEST(BlockDeviceTest, parts_of_sectors_and_what_is_behind_the_end_are_refused) {
  RamDisk disk(std::vector<u8>(4 * sector));
  std::vector<u8> bytes(2 * sector);
  EXPECT_EQ(disk.read(0, std::span(bytes).first(511)).error(), Errno::Invalid);
  EXPECT_EQ(disk.read(3, bytes).error(), Errno::Invalid);
  EXPECT_EQ(disk.write(5, {}).error(), Errno::Invalid);
  EXPECT_EQ(disk.read(~u64{0}, bytes).error(), Errno::Invalid);
  EXPECT_TRUE(disk.read(4, {}));
  EXPECT_EQ(disk.reads, 0u);
}

TEST(BlockDeviceTest, a_read_only_device_takes_no_writes) {
  RamDisk disk(std::vector<u8>(sector), false);
  std::array<u8, sector> bytes{};
  EXPECT_EQ(disk.write(0, bytes).error(), Errno::ReadOnly);
  EXPECT_TRUE(disk.read(0, bytes));
}

TEST(BlockDeviceTest, a_bad_sector_fails_what_touches_it_and_nothing_else) {
  RamDisk disk(std::vector<u8>(4 * sector));
  std::vector<u8> bytes(2 * sector);
  disk.bad_sector = 2;
  EXPECT_TRUE(disk.read(0, bytes));
  EXPECT_EQ(disk.read(1, bytes).error(), Errno::InputOutput);
  EXPECT_EQ(disk.write(2, bytes).error(), Errno::InputOutput);
}

TEST(BlockDeviceTest, a_disk_that_was_pulled_keeps_what_was_written_before) {
  RamDisk disk(std::vector<u8>(2 * sector));
  const std::vector<u8> one(sector, 1);
  disk.writes_left = 1;
  EXPECT_TRUE(disk.write(0, one));
  EXPECT_EQ(disk.write(1, one).error(), Errno::InputOutput);
  EXPECT_EQ(disk.image()[0], 1);
  EXPECT_EQ(disk.image()[sector], 0);
}

}  // namespace
}  // namespace pulse
