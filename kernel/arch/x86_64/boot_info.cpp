// PVH start info (Xen, public/arch-x86/hvm/start_info.h) and Multiboot 2 information (specification §3.6).
#include "kernel/core/boot_info.hpp"

#include "kernel/arch/x86_64/layout.h"
#include "kernel/core/panic.hpp"

namespace pulse {

namespace {

struct PvhStartInfo {
  u32 magic, version, flags, module_count;
  u64 modules, command_line, rsdp;
  u64 memory_map;
  u32 memory_map_entries, reserved;
};
struct PvhModule {
  u64 address, size, command_line, reserved;
};
struct PvhMemory {
  u64 address, size;
  u32 type, reserved;
};
constexpr u32 pvh_magic = 0x336EC578;
constexpr u32 memory_is_ram = 1;

struct MultibootTag {
  u32 type, size;
};
enum MultibootTagType : u32 {
  end_tag = 0,
  command_line_tag = 1,
  loader_tag = 2,
  module_tag = 3,
  memory_map_tag = 6,
  old_rsdp_tag = 14,
  new_rsdp_tag = 15
};

template <class T>
const T* at(u64 physical) {
  return reinterpret_cast<const T*>(DIRECT_MAP + physical);
}

/// A copy of a 0-terminated text, cut to what the buffer holds.
template <std::size_t N>
std::string_view copy_text(char (&buffer)[N], u64 physical) {
  const char* text = at<char>(physical);
  std::size_t length = 0;
  while (length < N && text[length] != 0) {
    buffer[length] = text[length];
    ++length;
  }
  return {buffer, length};
}

char command_line[2048];
char loader_name[64];

void add_usable(BootInfo& boot, u64 begin, u64 size) {
  if (boot.usable_count < BootInfo::most_ranges) boot.usable[boot.usable_count++] = {begin, begin + size};
}

BootInfo read_pvh(u64 info) {
  BootInfo boot;
  const auto* start = at<PvhStartInfo>(info);
  if (start->magic != pvh_magic) panic("the PVH start info at {:#x} has no magic number", info);
  boot.loader = "PVH";
  boot.rsdp = start->rsdp;
  if (start->command_line != 0) boot.command_line = copy_text(command_line, start->command_line);
  if (start->module_count > 0) {
    const auto* module = at<PvhModule>(start->modules);
    boot.initramfs = {module->address, module->address + module->size};
  }
  const auto* map = at<PvhMemory>(start->memory_map);
  for (u32 i = 0; start->version >= 1 && i < start->memory_map_entries; ++i) {
    if (map[i].type == memory_is_ram) add_usable(boot, map[i].address, map[i].size);
  }
  return boot;
}

BootInfo read_multiboot(u64 info) {
  BootInfo boot;
  boot.loader = "Multiboot 2";
  const u64 end = info + *at<u32>(info);
  for (u64 place = info + 8; place + sizeof(MultibootTag) <= end;) {
    const auto* tag = at<MultibootTag>(place);
    switch (tag->type) {
      case end_tag:
        return boot;
      case command_line_tag:
        boot.command_line = copy_text(command_line, place + 8);
        break;
      case loader_tag:
        boot.loader = copy_text(loader_name, place + 8);
        break;
      case module_tag:
        if (boot.initramfs.end == 0) boot.initramfs = {*at<u32>(place + 8), *at<u32>(place + 12)};
        break;
      case old_rsdp_tag:
      case new_rsdp_tag:
        boot.rsdp = place + sizeof(MultibootTag);  // a copy of it
        break;
      case memory_map_tag: {
        const u32 entry_size = *at<u32>(place + 8);
        for (u64 entry = place + 16; entry_size != 0 && entry + entry_size <= place + tag->size; entry += entry_size) {
          if (*at<u32>(entry + 16) == memory_is_ram) add_usable(boot, *at<u64>(entry), *at<u64>(entry + 8));
        }
        break;
      }
      default:
        break;
    }
    place += (tag->size + 7) & ~u64{7};
    if (tag->size < sizeof(MultibootTag)) break;
  }
  return boot;
}

}  // namespace

BootInfo read_boot_info(u64 protocol, u64 info) {
  return protocol == BOOT_BY_PVH ? read_pvh(info) : read_multiboot(info);
}

}  // namespace pulse
