// Tiny guest images and a small memory, for the tests of the loaders.
#pragma once

#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.hpp"
#include "machine/boot/bytes.hpp"
#include "machine/boot/load_guest.hpp"

namespace vitrine::test_images {

/// A PC's RAM: 0..0x9FC00 and 1 MiB up to `bytes`, and the address map that says so.
struct TestMemory {
  explicit TestMemory(u64 bytes = 64 << 20)
      : storage(static_cast<u8*>(std::calloc(bytes, 1)), &std::free), host(storage.get(), bytes) {
    // The bus maps whole pages; the map ends a kilobyte early, as if an EBDA were there.
    VITRINE_ASSERT(bus.map_ram(PhysicalAddress(0), 0xA0000, host.data(), MemoryBus::Kind::Ram).has_value());
    map.ranges.push_back({PhysicalAddress(0), 0x9FC00, MemoryType::Ram});
    map.ranges.push_back({PhysicalAddress(0x9FC00), 0x400, MemoryType::Reserved});
    map.ranges.push_back({PhysicalAddress(0xF0000), 0x10000, MemoryType::Reserved});
    if (bytes > 0x100000) {
      VITRINE_ASSERT(
          bus.map_ram(PhysicalAddress(0x100000), bytes - 0x100000, host.data() + 0x100000, MemoryBus::Kind::Ram)
              .has_value());
      map.ranges.push_back({PhysicalAddress(0x100000), bytes - 0x100000, MemoryType::Ram});
    }
  }

  [[nodiscard]] u8 get8(u64 address) const { return host[address]; }
  [[nodiscard]] u16 get16(u64 address) const { return ByteView(host).get16(address); }
  [[nodiscard]] u32 get32(u64 address) const { return ByteView(host).get32(address); }
  [[nodiscard]] u64 get64(u64 address) const { return ByteView(host).get64(address); }
  [[nodiscard]] std::string text(u64 address) const { return {reinterpret_cast<const char*>(host.data() + address)}; }

  std::unique_ptr<u8, void (*)(void*)> storage;  // zeroed lazily by the host
  std::span<u8> host;
  MemoryBus bus;
  MemoryMap map;
};

enum class ElfClass : u8 { Bits32, Bits64 };

struct ElfOptions {
  ElfClass file_class = ElfClass::Bits32;
  u16 machine = 0;  ///< 0: 3 or 62, as fits
  u16 type = 2;
  u64 load_address = 0x100000;
  u64 virtual_offset = 0;  ///< virtual less physical address
  u64 entry_offset = 0x40;
  u64 bss = 0x1000;
  bool pvh_note = false;
  bool symbols = false;
  std::vector<u8> front;  ///< the first bytes of the one segment
};

/// One segment of 0x200 bytes at file offset 0x1000 (its bytes: front, then 0x90), a note at 0x800, sections at 0x1400.
inline std::vector<u8> elf(const ElfOptions& options) {
  const bool is_64 = options.file_class == ElfClass::Bits64;
  constexpr u64 body = 0x1000;
  constexpr u64 body_size = 0x200;
  constexpr u64 note = 0x800;
  constexpr u64 symbols = 0x1200;
  constexpr u64 sections = 0x1400;
  ByteBuilder out(options.symbols ? 0x1600 : body + body_size);
  const auto word = [&](u64 at, u64 value) {
    if (is_64) {
      out.set64(at, value);
    } else {
      out.set32(at, static_cast<u32>(value));
    }
  };
  const u64 word_size = is_64 ? 8 : 4;
  out.set32(0, 0x464C457F);
  out.set8(4, is_64 ? 2 : 1);
  out.set8(5, 1);
  out.set8(6, 1);
  out.set16(16, options.type);
  out.set16(18, options.machine != 0 ? options.machine : is_64 ? 62 : 3);
  out.set32(20, 1);
  const u64 virtual_address = options.load_address + options.virtual_offset;
  const u64 header_size = is_64 ? 64 : 52;
  word(24, virtual_address + options.entry_offset);
  word(24 + word_size, header_size);
  const u64 tail = is_64 ? 52 : 40;
  out.set16(tail, static_cast<u16>(header_size));
  out.set16(tail + 2, is_64 ? 56 : 32);
  out.set16(tail + 4, options.pvh_note ? 2 : 1);

  const auto program = [&](u64 at, u32 type, u64 offset, u64 physical, u64 linear, u64 file_size, u64 memory_size) {
    out.set32(at, type);
    if (is_64) {
      out.set32(at + 4, 7);
      out.set64(at + 8, offset);
      out.set64(at + 16, linear);
      out.set64(at + 24, physical);
      out.set64(at + 32, file_size);
      out.set64(at + 40, memory_size);
      out.set64(at + 48, 4);
    } else {
      out.set32(at + 4, static_cast<u32>(offset));
      out.set32(at + 8, static_cast<u32>(linear));
      out.set32(at + 12, static_cast<u32>(physical));
      out.set32(at + 16, static_cast<u32>(file_size));
      out.set32(at + 20, static_cast<u32>(memory_size));
      out.set32(at + 24, 7);
      out.set32(at + 28, 4);
    }
  };
  program(header_size, 1, body, options.load_address, virtual_address, body_size, body_size + options.bss);
  if (options.pvh_note) {
    program(header_size + (is_64 ? 56 : 32), 4, note, 0, 0, is_64 ? 24 : 20, is_64 ? 24 : 20);
    out.set32(note, 4);
    out.set32(note + 4, static_cast<u32>(word_size));
    out.set32(note + 8, 18);
    out.set32(note + 12, 0x006E6558);  // "Xen"
    word(note + 16, options.load_address + options.entry_offset);
  }
  for (u64 at = 0; at < body_size; ++at) out.set8(body + at, at < options.front.size() ? options.front[at] : 0x90);
  if (options.symbols) {
    // Section 0: null; 1: .text; 2: a string table that no segment holds.
    const u64 entry_size = is_64 ? 64 : 40;
    word(24 + 2 * word_size, sections);
    out.set16(tail + 6, static_cast<u16>(entry_size));
    out.set16(tail + 8, 3);
    out.set16(tail + 10, 2);
    const auto section = [&](u64 index, u32 type, u64 flags, u64 address, u64 offset, u64 size) {
      const u64 at = sections + index * entry_size;
      out.set32(at + 4, type);
      word(at + 8, flags);
      word(at + 8 + word_size, address);
      word(at + 8 + 2 * word_size, offset);
      word(at + 8 + 3 * word_size, size);
    };
    section(1, 1, 6, virtual_address, body, body_size);
    section(2, 3, 0, 0, symbols, 16);
    const std::string_view names = "the names";
    for (u64 at = 0; at < names.size(); ++at) out.set8(symbols + at, static_cast<u8>(names[at]));
  }
  return out.take();
}

/// A Multiboot 1 header; with load addresses when `addresses` has header, load, load_end, bss_end, entry.
inline std::vector<u8> multiboot1_header(u32 flags, const std::vector<u32>& addresses = {}) {
  ByteBuilder out;
  out.put32(0x1BADB002);
  out.put32(flags);
  out.put32(0 - 0x1BADB002 - flags);
  for (const u32 address : addresses) out.put32(address);
  return out.take();
}

struct Tag {
  u16 type;
  u16 flags;
  std::vector<u32> words;
};

/// A Multiboot 2 header with these tags and an end tag.
inline std::vector<u8> multiboot2_header(const std::vector<Tag>& tags, u32 architecture = 0) {
  ByteBuilder out(16);
  const auto put = [&](const Tag& tag) {
    out.align(8);
    out.put16(tag.type);
    out.put16(tag.flags);
    out.put32(static_cast<u32>(8 + 4 * tag.words.size()));
    for (const u32 value : tag.words) out.put32(value);
  };
  for (const Tag& tag : tags) put(tag);
  put({0, 0, {}});
  out.set32(0, 0xE85250D6);
  out.set32(4, architecture);
  out.set32(8, static_cast<u32>(out.size()));
  out.set32(12, 0 - 0xE85250D6 - architecture - static_cast<u32>(out.size()));
  return out.take();
}

struct LinuxOptions {
  u16 version = 0x20F;
  u8 load_flags = 1;
  u16 extended_load_flags = 1;
  bool relocatable = true;
  u64 preferred_address = 0x1000000;
  u32 alignment = 0x200000;
  u32 init_size = 0x100000;
  u32 initrd_address_max = 0x7FFFFFFF;
  u32 command_line_size = 2047;
  u64 kernel_size = 0x1000;
};

/// A bzImage with four setup sectors; its kernel is 0x90 bytes.
inline std::vector<u8> linux_image(const LinuxOptions& options) {
  constexpr u64 setup = 5 * 512;
  ByteBuilder out(setup);
  out.set8(0x1F1, 4);
  out.set32(0x1F4, static_cast<u32>((options.kernel_size + 15) / 16));
  out.set16(0x1FE, 0xAA55);
  out.set16(0x200, 0x6AEB);
  out.set32(0x202, 0x53726448);
  out.set16(0x206, options.version);
  out.set16(0x20E, 0x300);
  out.set8(0x211, options.load_flags);
  out.set32(0x214, (options.load_flags & 1) != 0 ? 0x100000 : 0x1000);
  out.set32(0x22C, options.initrd_address_max);
  out.set32(0x230, options.alignment);
  out.set8(0x234, options.relocatable ? 1 : 0);
  out.set16(0x236, options.extended_load_flags);
  out.set32(0x238, options.command_line_size);
  out.set64(0x258, options.preferred_address);
  out.set32(0x260, options.init_size);
  const std::string_view version = "6.1.0-test (someone)";
  for (u64 at = 0; at < version.size(); ++at) out.set8(0x500 + at, static_cast<u8>(version[at]));
  out.put_bytes(std::vector<u8>(options.kernel_size, 0x90));
  return out.take();
}

}  // namespace vitrine::test_images
