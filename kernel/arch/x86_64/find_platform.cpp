// Where a PC keeps its tables: ACPI 6.4 §5.2.5.1, MP specification §4.
#include <algorithm>
#include <cstring>

#include "kernel/arch/x86_64/layout.h"
#include "kernel/core/platform.hpp"
#include "kernel/memory/page_tables.hpp"

namespace pulse {

namespace {

constexpr u64 bios_data_ebda = 0x40E, base_memory_top = 0x9FC00, rom_begin = 0xE0000, rom_end = 0x100000;
constexpr u64 paragraph = 16, searched_bytes = 1024, most_table_bytes = 1 << 20;
constexpr u64 mapped_by_boot = u64{4} << 30;

/// Empty if it is not below what the boot tables map.
std::span<const u8> bytes_at(u64 physical, u64 size) {
  if (physical == 0 || size > most_table_bytes || physical >= mapped_by_boot - size) return {};
  return {static_cast<const u8*>(direct(physical)), size};
}

template <class T>
T read(u64 physical) {
  T value{};
  const auto bytes = bytes_at(physical, sizeof(T));
  if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

u64 search(u64 begin, u64 end, std::string_view signature, u64 size) {
  for (u64 place = begin; place + size <= end; place += paragraph) {
    const auto bytes = bytes_at(place, size);
    if (!bytes.empty() && std::memcmp(bytes.data(), signature.data(), signature.size()) == 0 &&
        has_sound_checksum(bytes)) {
      return place;
    }
  }
  return 0;
}

/// In the first KiB of the extended BIOS data area, at the end of base memory, in the BIOS's ROM.
u64 search_everywhere(std::string_view signature, u64 size) {
  const u64 ebda = u64{read<u16>(bios_data_ebda)} << 4;
  if (const u64 found = ebda != 0 ? search(ebda, ebda + searched_bytes, signature, size) : 0; found != 0) return found;
  if (const u64 found = search(base_memory_top, base_memory_top + searched_bytes, signature, size); found != 0)
    return found;
  return search(rom_begin, rom_end, signature, size);
}

std::optional<Platform> find_madt(u64 rsdp) {
  constexpr u64 rsdp_bytes = 20, header_bytes = 36;
  if (rsdp == 0) rsdp = search_everywhere("RSD PTR ", rsdp_bytes);
  if (rsdp == 0) return {};
  const bool extended = read<u8>(rsdp + 15) >= 2 && read<u64>(rsdp + 24) != 0;
  const u64 root = extended ? read<u64>(rsdp + 24) : read<u32>(rsdp + 16);
  const u64 entry_bytes = extended ? 8 : 4;
  const u32 length = read<u32>(root + 4);
  for (u64 place = header_bytes; place + entry_bytes <= length; place += entry_bytes) {
    const u64 table = extended ? read<u64>(root + place) : read<u32>(root + place);
    const auto madt = bytes_at(table, read<u32>(table + 4));
    if (madt.size() >= 4 && std::memcmp(madt.data(), "APIC", 4) == 0) return parse_madt(madt);
  }
  return {};
}

std::optional<Platform> find_mp_table() {
  constexpr u64 pointer_bytes = 16;
  constexpr u8 has_imcr = 0x80;
  const u64 pointer = search_everywhere("_MP_", pointer_bytes);
  if (pointer == 0) return {};
  const u64 table = read<u32>(pointer + 4);
  auto platform = parse_mp_table(bytes_at(table, read<u16>(table + 4)));
  if (platform) platform->has_imcr = (read<u8>(pointer + 12) & has_imcr) != 0;
  return platform;
}

}  // namespace

std::optional<Platform> find_platform(u64 rsdp, PlatformTables which) {
  std::optional<Platform> platform;
  if (which != PlatformTables::Mp) platform = find_madt(rsdp);
  if (which == PlatformTables::Acpi || (platform && which == PlatformTables::Mp)) return platform;
  const auto mp = find_mp_table();
  if (!platform) return mp;
  if (mp) {  // for what only these say
    std::ranges::copy(mp->pci_pins, platform->pci_pins);
    platform->pci_pin_count = mp->pci_pin_count;
  }
  return platform;
}

}  // namespace pulse
