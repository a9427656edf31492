#include "machine/boot/elf_image.hpp"

#include <algorithm>

#include "base/bits.hpp"

namespace vitrine {

namespace {

// Field offsets of the two classes, side by side.
struct Layout {
  u64 header_size;
  u64 entry, program_offset, section_offset;             // of the ELF header; address-sized
  u64 program_entry_size, program_count;                 // u16
  u64 section_entry_size, section_count, section_names;  // u16
  u64 program_size;                                      // of a program header
  u64 p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align;
  u64 section_size;  // of a section header
  u64 sh_flags, sh_addr, sh_offset, sh_size, sh_addralign;
};
constexpr Layout layout32{52, 24, 28, 32, 42, 44, 46, 48, 50, 32, 4, 8, 12, 16, 20, 28, 40, 8, 12, 16, 20, 32};
constexpr Layout layout64{64, 24, 32, 40, 54, 56, 58, 60, 62, 56, 8, 16, 24, 32, 40, 48, 64, 8, 16, 24, 32, 48};

constexpr u8 class_32 = 1, class_64 = 2;
constexpr u8 data_little_endian = 1, data_big_endian = 2;
constexpr u16 machine_386 = 3, machine_x86_64 = 62;
constexpr u16 type_relocatable = 1, type_executable = 2, type_shared = 3, type_core = 4;
constexpr u32 segment_load = 1, segment_note = 4;
constexpr u32 section_null = 0, section_note = 7, section_nobits = 8;
constexpr u64 section_allocated = 2;
constexpr u16 many_program_headers = 0xFFFF;
constexpr u32 xen_note_physical_entry = 18;  // Xen, include/public/elfnote.h: XEN_ELFNOTE_PHYS32_ENTRY

struct MachineName {
  u16 number;
  const char* name;
};
// ELF e_machine values that people are likely to try.
constexpr MachineName machine_names[] = {{2, "SPARC"},           {4, "68000"},       {8, "MIPS"},     {20, "PowerPC"},
                                         {21, "64-bit PowerPC"}, {22, "S/390"},      {40, "ARM"},     {43, "SPARC"},
                                         {50, "Itanium"},        {183, "AArch64"},   {224, "AMDGPU"}, {243, "RISC-V"},
                                         {247, "BPF"},           {258, "LoongArch"}, {94, "Xtensa"}};

std::string machine_name(u16 number) {
  for (const MachineName& machine : machine_names) {
    if (machine.number == number) return machine.name;
  }
  return "machine number " + std::to_string(number);
}

u64 address_at(ByteView image, bool is_64_bit, u64 offset) {
  return is_64_bit ? image.get64(offset) : image.get32(offset);
}

}  // namespace

bool is_elf(ByteView image) { return image.starts_with("\177ELF"); }

u64 ElfImage::physical_entry() const {
  for (const ElfSegment& segment : segments) {
    if (entry - segment.virtual_address < segment.image.memory_size) {
      return entry - segment.virtual_address + segment.image.address;
    }
  }
  return entry;
}

std::vector<ImageSegment> ElfImage::image_segments() const {
  std::vector<ImageSegment> parts;
  parts.reserve(segments.size());
  for (const ElfSegment& segment : segments) parts.push_back(segment.image);
  return parts;
}

BootResult<ElfImage> parse_elf(const Loading& loading) {
  const ByteView image = loading.image;
  using enum BootErrorKind;
  const u8 file_class = image.get8(4);
  const u8 data = image.get8(5);
  if (!image.has(0, layout32.header_size)) return loading.truncated("ELF header", 0, layout32.header_size);
  if (file_class != class_32 && file_class != class_64) {
    return loading.fail(Malformed, "is a damaged ELF: class " + std::to_string(file_class) +
                                       " at 0x4 is neither 1 "
                                       "(32-bit) nor 2 (64-bit)");
  }
  if (data == data_big_endian) {
    const u16 machine = static_cast<u16>(image.get8(18) << 8 | image.get8(19));
    return loading.fail(WrongMachine, "is a big-endian ELF for " + machine_name(machine) + "; Vitrine runs x86 guests");
  }
  if (data != data_little_endian) {
    return loading.fail(Malformed, "is a damaged ELF: byte order " + std::to_string(data) + " at 0x5 is unknown");
  }
  const u16 machine = image.get16(18);
  if (machine != machine_386 && machine != machine_x86_64) {
    return loading.fail(WrongMachine, "is an ELF for " + machine_name(machine) + "; Vitrine runs x86 guests");
  }
  ElfImage elf;
  elf.is_64_bit = file_class == class_64;
  const Layout& layout = elf.is_64_bit ? layout64 : layout32;
  if (!image.has(0, layout.header_size)) return loading.truncated("ELF header", 0, layout.header_size);
  switch (image.get16(16)) {
    case type_executable:
    case type_shared:  // a position-independent kernel; its physical addresses are taken as they stand
      break;
    case type_relocatable:
      return loading.fail(NotAGuest, "is an ELF object file, not linked yet: link it into a kernel first");
    case type_core:
      return loading.fail(NotAGuest, "is an ELF core dump, not a kernel");
    default:
      return loading.fail(Malformed, "is a damaged ELF: type " + std::to_string(image.get16(16)) + " at 0x10");
  }

  elf.entry = address_at(image, elf.is_64_bit, layout.entry);
  const u64 program_offset = address_at(image, elf.is_64_bit, layout.program_offset);
  const u64 program_size = image.get16(layout.program_entry_size);
  const u64 program_count = image.get16(layout.program_count);
  if (program_count != 0) {
    if (program_size < layout.program_size) {
      return loading.fail(Malformed, "is a damaged ELF: its program headers have " + size_text(program_size) +
                                         " each, at least " + size_text(layout.program_size) + " are due");
    }
    if (program_count == many_program_headers) {
      return loading.fail(Unsupported, "is an ELF with 65535 program headers or more: no kernel has so many");
    }
    if (!image.has(program_offset, program_count * program_size)) {
      return loading.truncated("program header table", program_offset, program_count * program_size);
    }
  }
  for (u64 index = 0; index < program_count; ++index) {
    const u64 header = program_offset + index * program_size;
    const auto field = [&](u64 offset) { return address_at(image, elf.is_64_bit, header + offset); };
    const u32 type = image.get32(header);
    if (type == segment_note)
      elf.notes.push_back({field(layout.p_offset), field(layout.p_filesz), field(layout.p_align)});
    if (type != segment_load || field(layout.p_memsz) == 0) continue;
    elf.segments.push_back({.image = {.address = field(layout.p_paddr),
                                      .memory_size = field(layout.p_memsz),
                                      .file_offset = field(layout.p_offset),
                                      .file_size = field(layout.p_filesz)},
                            .virtual_address = field(layout.p_vaddr)});
  }

  // Sections are extra: a table that is not wholly there is as none.
  const u64 section_offset = address_at(image, elf.is_64_bit, layout.section_offset);
  const u32 section_size = image.get16(layout.section_entry_size);
  const u32 section_count = image.get16(layout.section_count);
  if (section_count != 0 && section_offset != 0 && section_size >= layout.section_size &&
      image.has(section_offset, u64{section_count} * section_size)) {
    elf.section_offset = section_offset;
    elf.section_count = section_count;
    elf.section_entry_size = section_size;
    elf.section_names = image.get16(layout.section_names);
    for (u64 index = 0; index < section_count; ++index) {
      const u64 header = section_offset + index * section_size;
      const auto field = [&](u64 offset) { return address_at(image, elf.is_64_bit, header + offset); };
      if (image.get32(header + 4) == section_note) {
        elf.notes.push_back({field(layout.sh_offset), field(layout.sh_size), field(layout.sh_addralign)});
      }
    }
  }
  return elf;
}

std::optional<u64> pvh_entry(const ElfImage& elf, ByteView image) {
  for (const ElfImage::Range& range : elf.notes) {
    const ByteView notes(image.part(range.offset, range.size));
    const u64 alignment = range.alignment == 8 ? 8 : 4;
    u64 at = 0;
    while (notes.has(at, 12)) {
      const u64 name_size = notes.get32(at);
      const u64 value_size = notes.get32(at + 4);
      const u32 type = notes.get32(at + 8);
      const u64 name = at + 12;
      const u64 value = *align_up(name + name_size, alignment);
      if (!notes.has(value, value_size)) break;
      if (type == xen_note_physical_entry && name_size == 4 && notes.starts_with("Xen", name)) {
        if (value_size == 8) return notes.get64(value);
        if (value_size == 4) return notes.get32(value);
      }
      at = *align_up(value + value_size, alignment);
    }
  }
  return std::nullopt;
}

std::optional<ElfSections> put_elf_sections(Loading& loading, const ElfImage& elf) {
  if (elf.section_count == 0) return std::nullopt;
  const ByteView image = loading.image;
  const Layout& layout = elf.is_64_bit ? layout64 : layout32;
  ElfSections result{.count = elf.section_count, .entry_size = elf.section_entry_size, .names = elf.section_names};
  const auto table = image.part(elf.section_offset, u64{elf.section_count} * elf.section_entry_size);
  ByteBuilder headers;
  headers.put_bytes(table);

  // All sections to add go into one block: their offsets first, then the place, then the addresses.
  struct Added {
    u64 header, file_offset, size, offset;
  };
  std::vector<Added> added;
  u64 total = 0;
  const ByteView view(table);
  for (u64 index = 0; index < elf.section_count; ++index) {
    const u64 header = index * elf.section_entry_size;
    const auto field = [&](u64 offset) { return address_at(view, elf.is_64_bit, header + offset); };
    const u32 type = view.get32(header + 4);
    const u64 size = field(layout.sh_size);
    if (type == section_null || type == section_nobits || size == 0) continue;
    if ((field(layout.sh_flags) & section_allocated) != 0 || field(layout.sh_addr) != 0) continue;
    if (!image.has(field(layout.sh_offset), size)) continue;
    total = *align_up(total, 16);
    added.push_back({header, field(layout.sh_offset), size, total});
    total += size;
    if (total > loading.memory.ram_bytes()) return std::nullopt;
  }
  if (total != 0) {
    u64 above = mib;
    for (const LoadedSegment& segment : loading.segments) above = std::max(above, segment.start + segment.size);
    const auto place = loading.memory.lowest_place(total, MemoryBus::page_size, {above, last_32_bit_address});
    if (!place) return std::nullopt;
    for (const Added& section : added) {
      const u64 start = *place + section.offset;
      if (!loading.memory.write(start, image.part(section.file_offset, section.size))) return std::nullopt;
      if (elf.is_64_bit) {
        headers.set64(section.header + layout.sh_addr, start);
      } else {
        headers.set32(section.header + layout.sh_addr, static_cast<u32>(start));
      }
    }
    loading.memory.take(*place, total);
    loading.segments.push_back({*place, total, "symbols"});
  }
  result.headers = headers.take();
  return result;
}

}  // namespace vitrine
