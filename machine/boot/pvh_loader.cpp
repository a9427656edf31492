// PVH guests. Manual: Xen, docs/misc/pvh.pandoc and include/public/arch-x86/hvm/start_info.h (version 1).

#include "machine/boot/cpu_entry.hpp"
#include "machine/boot/elf_image.hpp"

namespace vitrine {

namespace {

// struct hvm_start_info
namespace start_info {
constexpr u64 size = 56;
constexpr u32 magic_value = 0x336E'C578;
constexpr u64 magic = 0, version = 4, module_count = 12, modules = 16, command_line = 24, rsdp = 32, memory_map = 40,
              memory_map_entries = 48;
}  // namespace start_info

}  // namespace

BootResult<LoadedGuest> load_pvh(Loading& loading) {
  const auto elf = parse_elf(loading);
  if (!elf) return std::unexpected(elf.error());
  const auto entry = pvh_entry(*elf, loading.image);
  if (!entry) {
    return loading.fail(BootErrorKind::NotAGuest,
                        "is an ELF for x86 without a Multiboot header or a PVH note: not a guest that Vitrine can run "
                        "(a Linux kernel needs CONFIG_PVH, or give its bzImage)");
  }
  bool inside = false;
  for (const ElfSegment& segment : elf->segments) {
    inside = inside || *entry - segment.image.address < segment.image.memory_size;
  }
  if (!inside || *entry > last_32_bit_address) {
    return loading.fail(BootErrorKind::Malformed,
                        "is a damaged PVH guest: its entry point " + hex(*entry) + " lies in no segment");
  }
  if (auto done = loading.put_image(elf->image_segments(), 0); !done) return std::unexpected(done.error());
  const auto module = loading.put_module();
  if (!module) return std::unexpected(module.error());

  ByteBuilder info(start_info::size);
  const u64 map = info.size();
  for (const MemoryRange& range : loading.map.ranges) {
    info.put64(range.start.value);
    info.put64(range.size);
    info.put32(static_cast<u32>(range.type));
    info.put32(0);
  }
  const u64 modules = info.size();
  if (*module) {
    info.put64((*module)->start);
    info.put64((*module)->size);
    info.put64(0);  // its command line: set below
    info.put64(0);
  }
  const u64 command_line = info.size();
  info.put_string(loading.files.command_line);
  const u64 module_line = info.size();
  info.put_string(loading.files.initrd_name);

  const auto place = loading.place_structure(info.size(), MemoryBus::page_size, "start info");
  if (!place) return std::unexpected(place.error());
  info.set32(start_info::magic, start_info::magic_value);
  info.set32(start_info::version, 1);
  if (*module) {
    info.set32(start_info::module_count, 1);
    info.set64(start_info::modules, *place + modules);
    info.set64(modules + 16, *place + module_line);
  }
  info.set64(start_info::command_line, *place + command_line);
  info.set64(start_info::rsdp, loading.map.rsdp.value);
  info.set64(start_info::memory_map, *place + map);
  info.set32(start_info::memory_map_entries, static_cast<u32>(loading.map.ranges.size()));
  if (auto done = loading.put(*place, info.bytes(), "start info"); !done) return std::unexpected(done.error());

  auto state = enter_protected_mode(loading, *entry);
  if (!state) return std::unexpected(state.error());
  state->gpr[BootState::rbx] = *place;
  return loading.finish(GuestKind::Pvh, *state,
                        std::string("PVH guest (ELF") + (elf->is_64_bit ? "64" : "32") + "), entry at " + hex(*entry));
}

}  // namespace vitrine
