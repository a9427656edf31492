// What the loader told us, whatever its protocol.
#pragma once

#include <span>
#include <string_view>

#include "kernel/core/types.hpp"

namespace pulse {

struct MemoryRange {
  u64 begin = 0, end = 0;  ///< physical; `end` is behind the last byte
};

struct BootInfo {
  static constexpr std::size_t most_ranges = 32;
  MemoryRange usable[most_ranges];  ///< RAM that is free to use, in the loader's order
  std::size_t usable_count = 0;
  MemoryRange initramfs;          ///< empty if there is none
  u64 rsdp = 0;                   ///< physical address of ACPI's root pointer; 0: the loader doesn't say
  std::string_view command_line;  ///< copied: the loader's memory is free to use
  std::string_view loader;        ///< likewise

  [[nodiscard]] std::span<const MemoryRange> ram() const { return {usable, usable_count}; }
};

/// Reads the start info of `protocol` (BOOT_BY_...) at physical address `info`, in the direct map.
[[nodiscard]] BootInfo read_boot_info(u64 protocol, u64 info);

}  // namespace pulse
