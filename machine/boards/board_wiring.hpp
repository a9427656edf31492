// The boards, and how each wires interrupts: all that differs between them, as tables and formulas of their schematics.
// From here come the wires of PcBoard, the tables of firmware and what `vitrine show --board` prints.
//
// Sources: IBM PC AT Technical Reference (1502494); Intel 82371SB PIIX3 (290550), 2.2.13; Intel ICH9 (316972), 10.1.20
// and 13.1.17; MultiProcessor Specification 1.4, chapter 3; ACPI 6.3, 5.2.12.5.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"
#include "machine/boards/isa_wiring.hpp"
#include "machine/boot/interrupt_map.hpp"
#include "machine/core/pci.hpp"
#include "machine/devices/ide/ide.hpp"

namespace vitrine {

enum class BoardKind : u8 {
  Isa,  ///< two 8259s, no PCI, no APIC: one CPU
  Pc,   ///< PIIX3-like: PCI with four PIRQs, I/O APIC
  Q35,  ///< ICH9-like: PCI with eight PIRQs, I/O APIC of version 20h
};

struct BoardTraits {
  BoardKind kind;
  std::string_view name;  ///< as in --board
  std::string_view description;
  u8 pirqs;             ///< 0: no PCI
  bool has_apics;       ///< local APICs, an I/O APIC, an HPET
  bool has_imcr;        ///< a switch between 8259 and local APIC
  u8 io_apic_version;   ///< of a board with APICs
  PciSlot southbridge;  ///< of a board with PCI
  Ide::Model ide;
  unsigned most_cpus;
};

// clang-format off
inline constexpr std::array<BoardTraits, 3> boards = {{
    // kind            name   description                                      PIRQs APICs  IMCR   I/O APIC bridge   disks              CPUs
    {BoardKind::Isa, "isa", "an ISA PC: two 8259s, no PCI, no APIC",            0,   false, false, 0,       {0, 0},  Ide::Model::Isa,   1},
    {BoardKind::Pc,  "pc",  "a PIIX3 PC: 8259s, PCI, I/O APIC, HPET",           4,   true,  true,  0x11,    {1, 0},  Ide::Model::Piix3, 64},
    {BoardKind::Q35, "q35", "an ICH9 PC: 8259s, PCI, I/O APIC, HPET",           8,   true,  false, 0x20,    {31, 0}, Ide::Model::Ich7,  64},
}};
// clang-format on

[[nodiscard]] constexpr const BoardTraits& traits_of(BoardKind kind) { return boards[static_cast<std::size_t>(kind)]; }
/// Null: there is no such board.
[[nodiscard]] const BoardTraits* board_named(std::string_view name);

// --- the I/O APIC's pins
// ------------------------------------------------------------------------------------------------------------

inline constexpr u64 io_apic_address = 0xFEC00000;
inline constexpr u8 io_apic_pins = 24;
/// The 8259s' output ends here, as ExtINT.
inline constexpr u8 io_apic_external_pin = 0;
/// PIRQ A.
inline constexpr u8 first_pirq_pin = 16;
/// The HPET's routes are the pins from here to the last one. On q35 PIRQ E to H have them too.
inline constexpr u8 first_hpet_pin = 20;
/// Where ISA line `irq` ends: line 2 is the cascade, and its pin has the timer.
[[nodiscard]] constexpr u8 io_apic_pin_of_irq(u8 irq) { return irq == 0 ? 2 : irq; }
/// PCI's lines are low when they ask: bit n for pin n.
inline constexpr u32 io_apic_active_low_pins = 0x00FF0000;

// --- PCI
// ------------------------------------------------------------------------------------------------------------

inline constexpr u8 pci_slots = 32, pci_pins = 4;
/// Where boards with PCI have the device that interrupts on command.
inline constexpr u8 interrupt_tester_slot = 3;
/// Of the southbridge: the disks' controller.
inline constexpr u8 ide_function = 1;
/// The PIRQ (A: 0) that pin `pin` (INTA#: 0) of slot `device` of bus 0 is soldered to.
[[nodiscard]] constexpr u8 pirq_of(BoardKind kind, u8 device, u8 pin) {
  if (kind == BoardKind::Pc) return static_cast<u8>((device + pin + 3) % 4);
  // ICH9: slots outside on PIRQE..H in turn; the southbridge's own devices (D25IR..D31IR at reset) on A..D.
  constexpr u8 first_inner_slot = 25;
  if (device >= first_inner_slot) return pin;
  return static_cast<u8>(4 + (device + pin) % 4);
}
/// The ISA lines that no device of the board has.
inline constexpr u16 pci_isa_irqs = 1u << 10 | 1u << 11;
/// Where firmware leads a PIRQ.
[[nodiscard]] constexpr u8 firmware_route_of(u8 pirq) { return pirq % 2 == 0 ? 10 : 11; }

// --- tables
// ------------------------------------------------------------------------------------------------------------

/// What firmware's tables say of a board with `cpus` processors.
[[nodiscard]] InterruptMap interrupt_map_of(BoardKind kind, unsigned cpus);

/// One way from a source to the controllers.
struct WiringRow {
  std::string source;
  std::string line;                  ///< "IRQ 4", "PIRQ A", "pin 20"
  std::optional<u8> irq;             ///< the 8259s' input, 0..15. A PIRQ: as firmware routes it
  std::optional<u8> route_register;  ///< of a PIRQ: where the router keeps that
  std::optional<u8> io_apic_pin;     ///< if the board has an I/O APIC
  LineTrigger trigger = LineTrigger::Edge;
  LinePolarity polarity = LinePolarity::ActiveHigh;
  std::optional<u8> vector;  ///< as firmware leaves it
};
/// Lines of ISA first, by number, then PCI's, then the pins that only the HPET has; it chooses the trigger itself.
[[nodiscard]] std::vector<WiringRow> wiring_table(BoardKind kind);

/// PCI slots that are wired alike.
struct SlotRow {
  std::vector<u8> devices;
  std::array<u8, pci_pins> pirqs;  ///< of INTA#..INTD#
};
[[nodiscard]] std::vector<SlotRow> slot_table(BoardKind kind);

}  // namespace vitrine
