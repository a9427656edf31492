// The parts of an ELF file that loaders need. Manual: System V ABI, chapters "Object Files" and "Program Loading".
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/types.hpp"
#include "machine/boot/loading.hpp"

namespace vitrine {

struct ElfSegment {
  ImageSegment image;  ///< at the physical address (p_paddr)
  u64 virtual_address = 0;
};

struct ElfImage {
  bool is_64_bit = false;
  u64 entry = 0;                     ///< as in the header: virtual or physical
  std::vector<ElfSegment> segments;  ///< PT_LOAD, without empty ones
  struct Range {
    u64 offset, size, alignment;
  };
  std::vector<Range> notes;  ///< in the file
  u64 section_offset = 0;
  u32 section_count = 0;
  u32 section_entry_size = 0;
  u32 section_names = 0;  ///< index of the section with the names

  /// The entry point as a physical address: moved like the segment whose virtual addresses contain it.
  [[nodiscard]] u64 physical_entry() const;
  [[nodiscard]] std::vector<ImageSegment> image_segments() const;
};

[[nodiscard]] bool is_elf(ByteView image);

/// Refuses what is not an executable for x86.
[[nodiscard]] BootResult<ElfImage> parse_elf(const Loading& loading);

/// The 32-bit physical entry point of the note XEN_ELFNOTE_PHYS32_ENTRY, if there is one.
[[nodiscard]] std::optional<u64> pvh_entry(const ElfImage& elf, ByteView image);

/// Section headers for Multiboot. Sections that no segment holds (symbols, strings) get memory, and their address is
/// set.
struct ElfSections {
  std::vector<u8> headers;
  u32 count = 0;
  u32 entry_size = 0;
  u32 names = 0;
};
/// None when there are none, or when they don't fit: a guest can start without.
[[nodiscard]] std::optional<ElfSections> put_elf_sections(Loading& loading, const ElfImage& elf);

}  // namespace vitrine
