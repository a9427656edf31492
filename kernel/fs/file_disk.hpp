// A block device whose sectors are a file's bytes: a RAM disk, where the file is one of a file system in memory.
#pragma once

#include "kernel/fs/block_device.hpp"
#include "kernel/fs/node.hpp"
#include "kernel/memory/kernel_buffer.hpp"

namespace pulse {

class FileDisk final : public BlockDevice {
 public:
  /// A rest of the file that is no whole sector is left out. Nobody else changes the file's size.
  explicit FileDisk(Ref<Node> file) : file_(std::move(file)) {
    set_size(file_->size / sector_bytes, Access::ReadWrite);
  }
  [[nodiscard]] Result<void> flush() override { return {}; }

 private:
  [[nodiscard]] Result<void> read_sectors(u64 sector, std::span<u8> into) override {
    KernelBuffer bytes(into.data(), into.size());
    return check(file_->read_at(sector * sector_bytes, bytes), into.size());
  }
  [[nodiscard]] Result<void> write_sectors(u64 sector, std::span<const u8> from) override {
    KernelBuffer bytes(const_cast<u8*>(from.data()), from.size());  // only read: a write takes its bytes
    return check(file_->write_at(sector * sector_bytes, bytes), from.size());
  }
  [[nodiscard]] static Result<void> check(const Result<std::size_t>& moved, std::size_t wanted) {
    if (!moved) return fail(moved.error());
    return *moved == wanted ? Result<void>() : fail(Errno::InputOutput);
  }

  Ref<Node> file_;
};

}  // namespace pulse
