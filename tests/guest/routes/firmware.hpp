// How our guests learn from firmware's tables where an interrupt pin of a PCI slot ends: ACPI, MP tables, $PIR.
//
// Manuals: ACPI 6.3, chapter 5 and 20.2; MultiProcessor Specification 1.4, chapter 4; PCI IRQ Routing Table
// Specification 1.0.
#pragma once

#include "tests/guest/runtime/pci.hpp"

/// What a table says of one pin of one slot, and of the APICs. none: it says nothing about that.
struct Route {
  static constexpr u32 none = ~u32{0};
  u32 io_apic_pin = none;
  u32 link = none;  ///< the router's register; none: the table has no such thing
  bool level = false, active_low = false;
  u32 io_apic_address = none;
  u32 cpus = none;
};

// --- bytes
// -----------------------------------------------------------------------------------------------------------

inline u32 byte_at(word address) { return *reinterpret_cast<const volatile u8*>(address); }
inline u32 half_at(word address) { return byte_at(address) | byte_at(address + 1) << 8; }
inline u32 long_at(word address) { return half_at(address) | half_at(address + 2) << 16; }

inline bool text_at(word address, const char* text) {
  for (; *text != 0; ++text, ++address) {
    if (byte_at(address) != static_cast<u8>(*text)) return false;
  }
  return true;
}
inline bool sums_to_zero(word address, u32 size) {
  u32 sum = 0;
  for (u32 at = 0; at < size; ++at) sum += byte_at(address + at);
  return (sum & 0xFF) == 0;
}
/// The structure that begins with `signature` on a multiple of 16; 0: there is none.
inline word find_signature(const char* signature, word begin, word end) {
  for (word at = begin; at < end; at += 16) {
    if (text_at(at, signature)) return at;
  }
  return 0;
}

// --- PCI
// -------------------------------------------------------------------------------------------------------------

/// The slot of the PCI-to-ISA bridge, which has the router; by its class code.
inline u32 find_isa_bridge() {
  for (u32 device = 0; device < 32; ++device) {
    if (pci_read(device, 0, 8) >> 16 == 0x0601) return device;
  }
  panic("there is no PCI-to-ISA bridge");
}

// --- ACPI
// ------------------------------------------------------------------------------------------------------------

inline word acpi_root() {
  const word found = find_signature("RSD PTR ", 0xE0000, 0x100000);
  if (found == 0 || !sums_to_zero(found, 20)) panic("no RSDP");
  return found;
}
/// By its signature, from the RSDT; 0: there is none.
inline word acpi_table(const char* signature) {
  const word root = long_at(acpi_root() + 16);
  for (word at = root + 36; at < root + long_at(root + 4); at += 4) {
    const word table = long_at(at);
    if (text_at(table, signature) && sums_to_zero(table, long_at(table + 4))) return table;
  }
  return 0;
}

/// An integer of AML (20.2.3); moves `at` behind it.
inline u32 aml_integer(word& at) {
  const u32 prefix = byte_at(at++);
  switch (prefix) {
    case 0x0A:
      return byte_at(at++);
    case 0x0B:
      at += 2;
      return half_at(at - 2);
    case 0x0C:
      at += 4;
      return long_at(at - 4);
    default:
      return prefix;  // ZeroOp, OneOp
  }
}

/// Looks for the _PRT entries of the pin: Package (4) { slot << 16 | FFFFh, pin, link or 0, 0 or I/O APIC pin }. Our
/// guests don't interpret AML; they know how one entry is encoded, and where it would be.
inline void read_prt(Route& route, u32 device, u32 pin) {
  const word dsdt = long_at(acpi_table("FACP") + 40);
  const word end = dsdt + long_at(dsdt + 4);
  for (word at = dsdt + 36; at + 12 < end; ++at) {
    if (byte_at(at) != 0x12 || byte_at(at + 1) > 20 || byte_at(at + 2) != 4) continue;
    word element = at + 3;
    if (aml_integer(element) != (device << 16 | 0xFFFF) || aml_integer(element) != pin) continue;
    if (text_at(element, "LNK")) {
      const u32 link = byte_at(element + 3) - 'A';
      route.link = link < 4 ? 0x60 + link : 0x64 + link;
    } else if (aml_integer(element) == 0) {
      route.io_apic_pin = aml_integer(element);
    }
  }
}

inline Route route_by_acpi(u32 device, u32 pin) {
  Route route = {.level = true, .active_low = true};  // 6.2.13: what PCI's pins are
  read_prt(route, device, pin);
  const word madt = acpi_table("APIC");
  if (madt == 0) return route;
  route.cpus = 0;
  for (word at = madt + 44; at < madt + long_at(madt + 4); at += byte_at(at + 1)) {
    if (byte_at(at) == 0 && (byte_at(at + 4) & 1) != 0) ++route.cpus;
    if (byte_at(at) == 1) route.io_apic_address = long_at(at + 4);
  }
  return route;
}

// --- MP tables
// -------------------------------------------------------------------------------------------------------

inline Route route_by_mp_tables(u32 device, u32 pin) {
  Route route;
  const word pointer = find_signature("_MP_", 0xF0000, 0x100000);
  if (pointer == 0 || !sums_to_zero(pointer, 16)) panic("no MP floating pointer");
  const word table = long_at(pointer + 4);
  if (!text_at(table, "PCMP") || !sums_to_zero(table, half_at(table + 4))) panic("no MP configuration table");
  route.cpus = 0;
  u32 pci_bus = Route::none;
  word at = table + 44;
  for (u32 left = half_at(table + 34); left != 0; --left) {
    switch (byte_at(at)) {
      case 0:
        route.cpus += byte_at(at + 3) & 1;
        break;
      case 1:
        if (text_at(at + 2, "PCI")) pci_bus = byte_at(at + 1);
        break;
      case 2:
        route.io_apic_address = long_at(at + 4);
        break;
      case 3:
        if (byte_at(at + 4) != pci_bus || byte_at(at + 5) != (device << 2 | pin)) break;
        route.io_apic_pin = byte_at(at + 7);
        route.active_low = (half_at(at + 2) & 3) == 3;
        route.level = (half_at(at + 2) >> 2 & 3) == 3;
        break;
      default:
        break;
    }
    at += byte_at(at) == 0 ? 20 : 8;
  }
  return route;
}

// --- $PIR
// ------------------------------------------------------------------------------------------------------------

inline Route route_by_pir(u32 device, u32 pin) {
  Route route;
  const word table = find_signature("$PIR", 0xF0000, 0x100000);
  if (table == 0 || !sums_to_zero(table, half_at(table + 6))) panic("no $PIR table");
  for (word at = table + 32; at < table + half_at(table + 6); at += 16) {
    if (byte_at(at + 1) == device << 3) route.link = byte_at(at + 2 + 3 * pin);
  }
  return route;
}
