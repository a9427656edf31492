// What Multiboot 1 and 2 share: how the body of the image gets into memory.
#pragma once

#include <optional>
#include <vector>

#include "machine/boot/elf_image.hpp"
#include "machine/boot/loading.hpp"

namespace vitrine {

/// The address fields of a Multiboot header, for images that are not ELF.
struct MultibootAddresses {
  u32 header = 0;    ///< physical address of the header itself
  u32 load = 0;      ///< of the first byte to load; ~0: of the file's first byte (Multiboot 2 only)
  u32 load_end = 0;  ///< 0: to the end of the file
  u32 bss_end = 0;   ///< 0: no bss
};

struct MultibootBody {
  std::vector<ImageSegment> segments;
  u64 entry = 0;  ///< physical
  std::optional<ElfImage> elf;

  [[nodiscard]] u64 lowest() const;
  [[nodiscard]] u64 size() const;  ///< from lowest() to the highest byte; 2^64 - 1 if it can't be
  [[nodiscard]] bool contains(u64 address) const;
};

/// From the address fields if the header has them, else from the ELF headers. `header` is the header's file offset.
/// The entry point comes from `entry` if the header has one. Checks that it lies in the image.
[[nodiscard]] BootResult<MultibootBody> parse_multiboot_body(const Loading& loading, u64 header,
                                                             const std::optional<MultibootAddresses>& addresses,
                                                             std::optional<u32> entry);

}  // namespace vitrine
