#include "kernel/fs/partitions.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "kernel/fs/ram_disk.hpp"

namespace pulse {
namespace {

constexpr u64 sector = BlockDevice::sector_bytes;

struct Slot {
  u8 type;
  u32 first, sectors;
  u8 status = 0;
};

class Disk {
 public:
  Disk() : bytes(1000 * sector) {}
  /// A table in sector `at`.
  Disk& table(u64 at, const std::vector<Slot>& slots) {
    u8* const place = &bytes[at * sector];
    place[510] = 0x55;
    place[511] = 0xAA;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      u8* const entry = place + 446 + 16 * i;
      entry[0] = slots[i].status;
      entry[4] = slots[i].type;
      std::memcpy(entry + 8, &slots[i].first, 4);
      std::memcpy(entry + 12, &slots[i].sectors, 4);
    }
    return *this;
  }
  [[nodiscard]] std::vector<std::vector<u64>> partitions() const {
    RamDisk disk(bytes);
    std::vector<std::vector<u64>> found;
    for (const PartitionEntry& entry : read_partitions(disk))
      found.push_back({entry.number, entry.first_sector, entry.sectors});
    return found;
  }
  std::vector<u8> bytes;
};
using Found = std::vector<std::vector<u64>>;
constexpr u8 linux_type = 0x83, extended = 0x05;

TEST(Partitions, primary_ones_have_the_numbers_of_their_places) {
  EXPECT_EQ(Disk().table(0, {{linux_type, 1, 99}, {}, {0x0C, 100, 900, 0x80}}).partitions(),
            (Found{{1, 1, 99}, {3, 100, 900}}));
}

TEST(Partitions, logical_ones_count_from_five_along_the_chain) {
  Disk disk;
  disk.table(0, {{linux_type, 1, 99}, {extended, 100, 800}});
  disk.table(100, {{linux_type, 10, 90}, {extended, 200, 100}});
  disk.table(300, {{linux_type, 1, 99}});
  EXPECT_EQ(disk.partitions(), (Found{{1, 1, 99}, {2, 100, 2}, {5, 110, 90}, {6, 301, 99}}));
}

TEST(Partitions, a_chain_that_goes_in_circles_ends) {
  Disk disk;
  disk.table(0, {{extended, 100, 800}});
  disk.table(100, {{linux_type, 10, 10}, {extended, 100, 100}});
  disk.table(200, {{linux_type, 10, 10}, {extended, 0, 100}});
  EXPECT_EQ(disk.partitions(), (Found{{1, 100, 2}, {5, 110, 10}, {6, 210, 10}}));
}

TEST(Partitions, what_lies_outside_of_the_disk_or_of_the_extended_one_is_left_out) {
  Disk disk;
  disk.table(
      0, {{linux_type, 0, 10}, {linux_type, 900, 101}, {linux_type, 0xFFFF'FFFF, 0xFFFF'FFFF}, {extended, 500, 100}});
  disk.table(500, {{linux_type, 50, 51}, {extended, 100, 10}});
  EXPECT_EQ(disk.partitions(), (Found{{4, 500, 2}}));
}

TEST(Partitions, without_a_table_there_are_none) {
  EXPECT_EQ(Disk().partitions(), Found());
  EXPECT_EQ(Disk().table(0, {{linux_type, 1, 9, 0x20}}).partitions(), Found()) << "a boot sector of code";
  EXPECT_EQ(Disk().table(0, {{0xEE, 1, 999}}).partitions(), Found()) << "it protects a GPT";
  RamDisk unreadable(Disk().table(0, {{linux_type, 1, 9}}).bytes);
  unreadable.bad_sector = 0;
  EXPECT_TRUE(read_partitions(unreadable).empty());
}

struct PartitionTest : testing::Test {
  RamDisk disk{std::vector<u8>(100 * sector)};
  Partition partition{disk, {1, 10, 20}};
};

TEST_F(PartitionTest, its_sectors_are_those_of_the_disk_from_its_first_on) {
  std::vector<u8> bytes(2 * sector, 0xAB);
  ASSERT_TRUE(partition.write(18, bytes));
  EXPECT_EQ(disk.image()[28 * sector], 0xAB);
  EXPECT_EQ(disk.image()[30 * sector - 1], 0xAB);
  std::vector<u8> got(sector);
  ASSERT_TRUE(partition.read(19, got));
  EXPECT_EQ(got.front(), 0xAB);
  ASSERT_TRUE(partition.flush());
  EXPECT_EQ(disk.flushes, 1u);
}

TEST_F(PartitionTest, nothing_behind_its_end_is_reached) {
  std::vector<u8> bytes(2 * sector);
  EXPECT_EQ(partition.read(19, bytes).error(), Errno::Invalid);
  EXPECT_EQ(partition.write(20, bytes).error(), Errno::Invalid);
  EXPECT_EQ(disk.reads + disk.writes, 0u);
}

TEST_F(PartitionTest, a_disk_and_its_parts_are_not_mounted_at_the_same_time) {
  Partition other(disk, {2, 30, 20});
  EXPECT_TRUE(partition.claim());
  EXPECT_FALSE(partition.claim());
  EXPECT_FALSE(disk.claim());
  EXPECT_TRUE(other.claim());
  partition.give_up_claim();
  EXPECT_FALSE(disk.claim());
  other.give_up_claim();
  EXPECT_TRUE(disk.claim());
  EXPECT_FALSE(partition.claim());
}

}  // namespace
}  // namespace pulse
