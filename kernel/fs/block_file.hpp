// Block devices as files: what /dev/sda opens to, and which block device a number names.
#pragma once

#include <span>
#include <string_view>

#include "kernel/fs/block_device.hpp"
#include "kernel/fs/file.hpp"

namespace pulse {

struct NamedBlockDevice {
  std::string_view name;  ///< in /dev
  u32 device;             ///< as Node::device
  BlockDevice* blocks;
};

/// `name` and `blocks` stay for good.
void register_block_device(const NamedBlockDevice& named);
[[nodiscard]] std::span<const NamedBlockDevice> block_devices();
/// Null: there is none with this number.
[[nodiscard]] BlockDevice* find_block_device(u32 device);

/// Reads and writes at any place, in any length; what is not a whole sector is read first. Writes go to the device at
/// once.
[[nodiscard]] Ref<File> open_block_file(BlockDevice& blocks);

}  // namespace pulse
