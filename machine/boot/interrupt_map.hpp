// What a board's firmware knows of its processors and of the wires to its interrupt controllers: from it come the MADT,
// the MP tables and the $PIR table, so that they can't say different things.
#pragma once

#include <vector>

#include "base/types.hpp"

namespace vitrine {

/// How a line asks for an interrupt.
enum class LineTrigger : u8 { Edge, Level };
/// Which level on the I/O APIC's pin means that it asks.
enum class LinePolarity : u8 { ActiveHigh, ActiveLow };

/// MPS INTI flags, as the MADT (table 5-50) and the MP table (table 4-10) have them: polarity in bits 0 and 1, trigger
/// in bits 2 and 3. 0 would mean: as the bus has it.
constexpr u16 inti_flags_of(LinePolarity polarity, LineTrigger trigger) {
  const u16 polarity_bits = polarity == LinePolarity::ActiveHigh ? 1 : 3;
  const u16 trigger_bits = trigger == LineTrigger::Edge ? 1 : 3;
  return static_cast<u16>(polarity_bits | trigger_bits << 2);
}

/// ISA interrupt line `irq` ends at pin `pin` of the I/O APIC.
struct IsaRoute {
  u8 irq = 0;
  u8 pin = 0;
  LineTrigger trigger = LineTrigger::Edge;
  LinePolarity polarity = LinePolarity::ActiveHigh;
  friend bool operator==(const IsaRoute&, const IsaRoute&) = default;
};

/// Interrupt pin `pin` (0: INTA#) of PCI slot `device` on bus 0 is wired to a PIRQ: pin `io_apic_pin` of the I/O APIC,
/// and the router's register `link`, which leads it to one of `isa_irqs`.
struct PciRoute {
  u8 device = 0;
  u8 pin = 0;
  u8 io_apic_pin = 0;
  u8 link = 0;       ///< offset in the router's configuration space
  u16 isa_irqs = 0;  ///< a bit for each line that may be chosen
};

/// The PCI router (PCI IRQ Routing Table Specification 1.0). A board without PCI has none: vendor 0.
struct PciRouter {
  u8 device = 0, function = 0;  ///< its slot on bus 0
  /// The router that kernels are sure to know, with the same registers: the table's "compatible PCI interrupt router".
  u16 vendor = 0, product = 0;
};

struct InterruptMap {
  /// Local APIC ids, by CPU; the first is the boot processor. Empty: a board without APICs.
  std::vector<u32> apic_ids;
  u32 cpu_signature = 0;  ///< CPUID leaf 1, EAX
  u32 cpu_features = 0;   ///< CPUID leaf 1, EDX
  u32 local_apic_address = 0xFEE00000;
  u8 local_apic_version = 0x14;  ///< as the register of the local APIC says, or kernels complain
  u32 io_apic_address = 0xFEC00000;
  u8 io_apic_id = 0;
  u8 io_apic_version = 0x11;
  /// Pin 0 of the I/O APIC is the 8259s' output.
  std::vector<IsaRoute> isa;
  std::vector<PciRoute> pci;
  PciRouter router;
  /// Lines that the router's links may take and nothing else uses (bits).
  u16 pci_only_irqs = 0;
};

}  // namespace vitrine
