// Partitions of a disk by the table in its first sector (PC "MBR"), and each as a block device of its own.
//
// Logical ones stand in a chain of tables inside of an extended one; they count from 5, as on Linux. What lies outside
// of the disk, or a chain that does not end, is left out. A table that protects a GPT names no partition here.
#pragma once

#include <vector>

#include "kernel/fs/block_device.hpp"

namespace pulse {

struct PartitionEntry {
  u32 number;  ///< from 1 on
  u64 first_sector, sectors;
};
/// None if the disk has no table, or can't be read.
[[nodiscard]] std::vector<PartitionEntry> read_partitions(BlockDevice& disk);

/// A stretch of another device, which outlives it.
class Partition final : public BlockDevice {
 public:
  Partition(BlockDevice& disk, const PartitionEntry& entry) : disk_(disk), first_(entry.first_sector) {
    set_size(entry.sectors, disk.writable() ? Access::ReadWrite : Access::ReadOnly);
  }
  [[nodiscard]] Result<void> flush() override { return disk_.flush(); }
  [[nodiscard]] u64 first_sector() const override { return first_; }
  [[nodiscard]] BlockDevice& whole() override { return disk_; }

 private:
  [[nodiscard]] Result<void> read_sectors(u64 sector, std::span<u8> into) override {
    return disk_.read(first_ + sector, into);
  }
  [[nodiscard]] Result<void> write_sectors(u64 sector, std::span<const u8> from) override {
    return disk_.write(first_ + sector, from);
  }

  BlockDevice& disk_;
  u64 first_;
};

}  // namespace pulse
