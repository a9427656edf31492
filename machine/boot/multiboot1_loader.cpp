// Multiboot 1 guests. Manual: "Multiboot Specification version 0.6.96", section 3.

#include "base/bits.hpp"
#include "machine/boot/cpu_entry.hpp"
#include "machine/boot/multiboot_body.hpp"

namespace vitrine {

namespace {

constexpr u32 header_magic = 0x1BAD'B002;
constexpr u32 loader_magic = 0x2BAD'B002;  // EAX at entry
constexpr u64 search_limit = 8192;

// 3.1.2: flags of the header. A loader must refuse unknown ones in bits 0..15.
constexpr u32 known_requirements = 0x7;  // page-aligned modules, memory information, video mode
constexpr u32 requirement_bits = 0xFFFF;
constexpr unsigned has_addresses = 16;

// 3.3: the information structure: offsets, and bits of its flags.
namespace info {
constexpr u64 size = 120;  // 116 bytes, and alignment
constexpr u64 flags = 0, memory_lower = 4, memory_upper = 8, command_line = 16, module_count = 20, modules = 24,
              sections = 28, map_length = 44, map_address = 48, loader_name = 64, framebuffer = 88, pitch = 96,
              width = 100, height = 104, bits_per_pixel = 108, framebuffer_type = 109;
constexpr u32 has_memory = 1 << 0, has_command_line = 1 << 2, has_modules = 1 << 3, has_elf_sections = 1 << 5,
              has_map = 1 << 6, has_loader_name = 1 << 9, has_framebuffer = 1 << 12;
}  // namespace info
constexpr u8 framebuffer_is_text = 2;

}  // namespace

std::optional<u64> find_multiboot1(ByteView image) {
  for (u64 at = 0; at + 12 <= search_limit && image.has(at, 12); at += 4) {
    if (image.get32(at) != header_magic) continue;
    if (image.get32(at) + image.get32(at + 4) + image.get32(at + 8) == 0) return at;
  }
  return std::nullopt;
}

BootResult<LoadedGuest> load_multiboot1(Loading& loading, u64 header) {
  const ByteView image = loading.image;
  const u32 flags = image.get32(header + 4);
  if ((flags & requirement_bits & ~known_requirements) != 0) {
    return loading.fail(BootErrorKind::Unsupported, "has a Multiboot header at " + hex(header) +
                                                        " that requires features which no loader knows (flags " +
                                                        hex(flags) + ")");
  }
  std::optional<MultibootAddresses> addresses;
  std::optional<u32> entry;
  if (bit(flags, has_addresses)) {
    if (!image.has(header, 32)) return loading.truncated("Multiboot header", header, 32);
    addresses = {image.get32(header + 12), image.get32(header + 16), image.get32(header + 20),
                 image.get32(header + 24)};
    entry = image.get32(header + 28);
  }
  const auto body = parse_multiboot_body(loading, header, addresses, entry);
  if (!body) return std::unexpected(body.error());
  if (auto done = loading.put_image(body->segments, 0); !done) return std::unexpected(done.error());
  const auto module = loading.put_module();
  if (!module) return std::unexpected(module.error());
  const auto sections = body->elf ? put_elf_sections(loading, *body->elf) : std::nullopt;

  ByteBuilder block(info::size);
  const u64 map = block.size();
  for (const MemoryRange& range : loading.map.ranges) {
    block.put32(20);  // bytes that follow
    block.put64(range.start.value);
    block.put64(range.size);
    block.put32(static_cast<u32>(range.type));
  }
  const u64 map_end = block.size();
  const u64 modules = block.size();
  if (*module) {
    block.put32(static_cast<u32>((*module)->start));
    block.put32(static_cast<u32>((*module)->start + (*module)->size));
    block.put32(0);  // its string: set below
    block.put32(0);
  }
  block.align(16);
  const u64 section_table = block.size();
  if (sections) block.put_bytes(sections->headers);
  const u64 command_line = block.size();
  block.put_string(loading.files.command_line);
  const u64 loader_name = block.size();
  block.put_string("Vitrine");
  const u64 module_name = block.size();
  block.put_string(loading.files.initrd_name);

  const auto place = loading.place_structure(block.size(), MemoryBus::page_size, "Multiboot information");
  if (!place) return std::unexpected(place.error());
  const auto pointer = [&](u64 field, u64 target) { block.set32(field, static_cast<u32>(*place + target)); };
  u32 present = info::has_memory | info::has_command_line | info::has_map | info::has_loader_name;
  block.set32(info::memory_lower, loading.lower_kib());
  block.set32(info::memory_upper, loading.upper_kib());
  pointer(info::command_line, command_line);
  if (*module) {
    present |= info::has_modules;
    block.set32(info::module_count, 1);
    pointer(info::modules, modules);
    pointer(modules + 8, module_name);
  }
  if (sections) {
    present |= info::has_elf_sections;
    block.set32(info::sections, sections->count);
    block.set32(info::sections + 4, sections->entry_size);
    pointer(info::sections + 8, section_table);
    block.set32(info::sections + 12, sections->names);
  }
  block.set32(info::map_length, static_cast<u32>(map_end - map));
  pointer(info::map_address, map);
  pointer(info::loader_name, loader_name);
  if (loading.options.screen == BootScreen::VgaText) {
    // Text is what there is, whatever mode the header prefers: 3.1.4 calls its fields a preference.
    present |= info::has_framebuffer;
    block.set64(info::framebuffer, 0xB8000);
    block.set32(info::pitch, 160);
    block.set32(info::width, 80);
    block.set32(info::height, 25);
    block.set8(info::bits_per_pixel, 16);
    block.set8(info::framebuffer_type, framebuffer_is_text);
  }
  block.set32(info::flags, present);
  if (auto done = loading.put(*place, block.bytes(), "Multiboot information"); !done) {
    return std::unexpected(done.error());
  }

  auto state = enter_protected_mode(loading, body->entry);
  if (!state) return std::unexpected(state.error());
  state->gpr[BootState::rax] = loader_magic;
  state->gpr[BootState::rbx] = *place;
  const std::string form = !body->elf ? "flat" : body->elf->is_64_bit ? "ELF64" : "ELF32";
  return loading.finish(GuestKind::Multiboot1, *state,
                        "Multiboot 1 guest (" + form + "), entry at " + hex(body->entry));
}

}  // namespace vitrine
