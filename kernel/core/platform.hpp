// What the firmware's tables say about processors and interrupt controllers: ACPI's MADT (ACPI 6.4 §5.2.12) or the
// older MP tables (Intel MultiProcessor Specification 1.4). The parsers are pure; find_platform() looks for the tables.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "kernel/core/types.hpp"

namespace pulse {

struct Platform {
  static constexpr std::size_t most_cpus = 64, most_io_apics = 8, isa_lines = 16;

  struct IoApic {
    u32 id = 0, address = 0, first_pin = 0;  ///< `first_pin`: the system-wide number of its pin 0
  };
  enum class Polarity : u8 { High, Low };
  enum class Trigger : u8 { Edge, Level };
  /// Where an ISA line arrives.
  struct Line {
    u32 pin = 0;  ///< system-wide
    Polarity polarity = Polarity::High;
    Trigger trigger = Trigger::Edge;
  };

  /// Where a pin of a PCI function arrives. Only the MP tables say: ACPI wants a program (_PRT) run for it.
  struct PciPin {
    u8 bus = 0, device = 0, pin = 0;  ///< `pin`: 0 is INTA#
    u32 system_pin = 0;
  };
  static constexpr std::size_t most_pci_pins = 128;

  std::string_view source;  ///< "ACPI", "MP"
  u64 local_apic = 0xFEE00000;
  bool has_8259 = true;
  bool has_imcr = false;  ///< MP: ports 22h, 23h switch the 8259s off the CPU (§3.6.2.1)
  u32 cpus[most_cpus] = {};
  std::size_t cpu_count = 0;  ///< local APIC ids; the ones that the firmware enabled
  IoApic io_apics[most_io_apics];
  std::size_t io_apic_count = 0;
  Line lines[isa_lines];
  PciPin pci_pins[most_pci_pins];
  std::size_t pci_pin_count = 0;

  Platform() {
    for (u32 i = 0; i < isa_lines; ++i) lines[i].pin = i;
  }
  void add_cpu(u32 id) {
    if (cpu_count < most_cpus) cpus[cpu_count++] = id;
  }
  void add_io_apic(const IoApic& chip) {
    if (io_apic_count < most_io_apics) io_apics[io_apic_count++] = chip;
  }
};

/// Nothing if the table is not sound. `madt` begins with its header.
[[nodiscard]] std::optional<Platform> parse_madt(std::span<const u8> madt);
/// `table` begins with the configuration table's header ("PCMP").
[[nodiscard]] std::optional<Platform> parse_mp_table(std::span<const u8> table);
/// All bytes add up to 0.
[[nodiscard]] bool has_sound_checksum(std::span<const u8> bytes);

enum class PlatformTables : u8 { Any, Acpi, Mp };
/// `rsdp`: the physical address of ACPI's root pointer if the loader gave it, else 0. Nothing if there are no tables.
[[nodiscard]] std::optional<Platform> find_platform(u64 rsdp, PlatformTables which);

}  // namespace pulse
