// A block device in memory, for tests on the host: an image whose sectors can be made to fail.
#pragma once

#include <cstring>
#include <vector>

#include "kernel/fs/block_device.hpp"

namespace pulse {

class RamDisk final : public BlockDevice {
 public:
  static constexpr u64 no_sector = ~u64{0};

  /// A rest that is no whole sector is left out.
  explicit RamDisk(std::vector<u8> image, bool may_write = true) : image_(std::move(image)) {
    set_size(image_.size() / sector_bytes, may_write ? Access::ReadWrite : Access::ReadOnly);
  }

  [[nodiscard]] const std::vector<u8>& image() const { return image_; }

  u64 bad_sector = no_sector;  ///< reads and writes of it fail with InputOutput
  u64 writes_left = ~u64{0};   ///< calls of write that succeed; those after them fail: a disk that was pulled
  u64 reads = 0, writes = 0;   ///< calls that reached the disk
  u64 flushes = 0;
  void (*sleep)() = nullptr;  ///< called in the middle of each read and write: others run meanwhile

  [[nodiscard]] Result<void> flush() override {
    ++flushes;
    return {};
  }

 private:
  [[nodiscard]] bool bad(u64 sector, u64 bytes) const {
    return bad_sector >= sector && bad_sector - sector < bytes / sector_bytes;
  }
  [[nodiscard]] Result<void> read_sectors(u64 sector, std::span<u8> into) override {
    ++reads;
    if (sleep != nullptr) sleep();
    if (bad(sector, into.size())) return fail(Errno::InputOutput);
    std::memcpy(into.data(), image_.data() + sector * sector_bytes, into.size());
    return {};
  }
  [[nodiscard]] Result<void> write_sectors(u64 sector, std::span<const u8> from) override {
    ++writes;
    if (sleep != nullptr) sleep();
    if (writes_left == 0 || bad(sector, from.size())) return fail(Errno::InputOutput);
    --writes_left;
    std::memcpy(image_.data() + sector * sector_bytes, from.data(), from.size());
    return {};
  }

  std::vector<u8> image_;
};

}  // namespace pulse
