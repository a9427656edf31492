// The ACPI tables of a PC: RSDP, RSDT, XSDT, FADT, FACS, DSDT; with APICs a MADT, with an HPET its table.
//
// Manual: ACPI specification 6.3, chapters 4 and 5. ACPI mode is always on: there is no SMI command port, so SCI_EN of
// the PM1 control block must read 1. Without a MADT a guest stays with the 8259s. The DSDTs are compiled from
// board.asl. Not modelled: sleep states but S5 (power-off), general-purpose events, thermal zones, batteries.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/types.hpp"
#include "machine/boot/interrupt_map.hpp"
#include "machine/core/bus.hpp"

namespace vitrine {

/// SLP_TYPa for power-off, as in board.asl's \_S5: bits 10..12 of PM1 control, with SLP_EN (bit 13). The southbridge's
/// own code for it (Intel 82371AB, 7.2.3).
inline constexpr u8 acpi_power_off_sleep_type = 0;

/// Which board's DSDT.
enum class AcpiDsdt : u8 { Isa, Pc, Q35 };

inline constexpr u64 hpet_address = 0xFED00000;

/// What the tables tell the guest.
struct AcpiBoard {
  AcpiDsdt dsdt = AcpiDsdt::Isa;
  InterruptMap interrupts;
  std::optional<u32> hpet_block_id;  ///< bits 31..0 of its capabilities register; empty: there is none
  Port pm1_event{0x600};             ///< 4 bytes: PM1 status, PM1 enable
  Port pm1_control{0x604};           ///< 2 bytes
  Port pm_timer{0x608};              ///< 4 bytes, 3.579545 MHz
  bool pm_timer_is_32_bit = false;
  u8 sci_irq = 9;
  Port reset_port{0xCF9};
  u8 reset_value = 6;
  bool vga_present = true;
  bool keyboard_controller_present = true;
};

/// The place where all tables stand, one after another; the RSDP comes first.
struct AcpiTables {
  std::vector<u8> bytes;
  PhysicalAddress rsdp{};  ///< equals the base that was asked for
};

/// The tables for `base`, which must be a multiple of 64 (the FACS) and, for guests that search for the RSDP, in
/// 0xE0000..0xFFFFF.
[[nodiscard]] AcpiTables build_acpi_tables(const AcpiBoard& board, PhysicalAddress base);

/// The compiled board.asl.
[[nodiscard]] std::span<const u8> acpi_dsdt(AcpiDsdt which);

}  // namespace vitrine
