// The PCI side of a board: bus 0, its bridges, and the wires from the interrupt pins of slots to the router.
//
// Manuals: Intel 82371SB PIIX3 (290550), 2.2.13; Intel ICH9 (316972), 13.1.17.
#pragma once

#include <deque>
#include <memory>

#include "machine/boards/board_wiring.hpp"
#include "machine/boards/isa_wiring.hpp"
#include "machine/boards/places.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/core/outside.hpp"
#include "machine/core/pci.hpp"
#include "machine/devices/isa_bridge/isa_bridge.hpp"
#include "machine/devices/pci_host/pci_host.hpp"

namespace vitrine {

class PciComplex {
 public:
  struct Surroundings {
    Ledger& ledger;
    MemoryBus& memory;
    PortBus& ports;
    MachineControl& control;
    IsaLines& isa;
    Port pm_base;
  };
  PciComplex(const BoardTraits& board, const Surroundings& surroundings, Places& places);

  [[nodiscard]] PciBus& bus() { return bus_; }
  /// Puts a function into its slot, for good.
  void plug(PciSlot slot, PciConfig& config, PciFunction* listener = nullptr);
  /// A vote on the line that interrupt pin `pin` (INTA#: 0) of slot `device` is soldered to.
  [[nodiscard]] LineDriver pin(u8 device, u8 pin, SourceId driver);
  [[nodiscard]] u8 pirqs() const { return static_cast<u8>(pirqs_.size()); }
  /// A vote on PIRQ `pirq`.
  [[nodiscard]] LineDriver pirq(u8 pirq, SourceId driver) { return pirqs_[pirq].add_driver(driver); }
  /// Ends each PIRQ at its pin of the I/O APIC.
  void connect_io_apic(Device& io_apic);

  /// The wires. The devices are on the board.
  void exchange(Archive& archive);

 private:
  BoardKind kind_;
  PciBus bus_;
  std::deque<InterruptLine> pirqs_;  // an InterruptLine can't move
  std::unique_ptr<PciHost> host_;
  std::unique_ptr<IsaBridge> isa_bridge_;
};

}  // namespace vitrine
