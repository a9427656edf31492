// The APICs of a board, and the wires between them, the 8259s and the CPUs.
//
// Manuals: MultiProcessor Specification 1.4, 3.6 (PIC mode, virtual wire, symmetric I/O); SDM vol. 3A chapter 10.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "machine/boards/board_wiring.hpp"
#include "machine/boards/isa_wiring.hpp"
#include "machine/boards/pci_complex.hpp"
#include "machine/boards/places.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/core/interrupt_message.hpp"
#include "machine/core/message_port.hpp"
#include "machine/cpu/cpu.hpp"
#include "machine/devices/hpet/hpet.hpp"
#include "machine/devices/imcr/imcr.hpp"
#include "machine/devices/io_apic/io_apic.hpp"
#include "machine/devices/local_apic/local_apic.hpp"

namespace vitrine {

class ApicComplex {
 public:
  /// Gives each CPU of `cpus` its local APIC, with these `modes`, and its core this `cooling`. `external`: the 8259s.
  ApicComplex(const BoardTraits& board, Ledger& ledger, MemoryBus& memory, const CpuGroup& cpus, LocalApic::Modes modes,
              DieTemperature::Cooling cooling, InterruptAcknowledger& external, Places& places);

  /// Adds the HPET, with its registers on `memory`: between `pit` and IRQ 0, between `clock` and IRQ 8, and on the I/O
  /// APIC's pins from first_hpet_pin on, of which it shares those that PIRQs have.
  void add_hpet(Places& places, MemoryBus& memory, IsaLines& isa, InterruptLine& pit, InterruptLine& clock,
                PciComplex& pci);
  /// Ends the 8259s' output here: at every LINT0 (by way of the IMCR, if there is one), and at the I/O APIC.
  void connect_8259s(InterruptLine& output);
  /// Ends the NMI wire at every LINT1.
  void connect_nmi(InterruptLine& wire);

  [[nodiscard]] LocalApic& local(unsigned cpu) { return *local_[cpu]; }
  [[nodiscard]] const LocalApic& local(unsigned cpu) const { return *local_[cpu]; }
  [[nodiscard]] IoApic& io_apic() { return *io_apic_; }
  [[nodiscard]] Imcr* imcr() { return imcr_.get(); }
  [[nodiscard]] const Hpet& hpet() const { return *hpet_; }
  /// The line at a pin of the I/O APIC that no PIRQ has, from first_hpet_pin on.
  [[nodiscard]] InterruptLine& own_line(u8 pin) { return hpet_lines_[pin - first_hpet_pin]; }
  /// Where devices write their messages.
  [[nodiscard]] MessagePort& messages() { return messages_; }

  /// Could anything end the HLT of this CPU, while all CPUs are halted? `pic_can_ask`: the 8259s may yet ask.
  /// `messages`: what devices may yet send.
  [[nodiscard]] bool could_wake(const Cpu& cpu, bool pic_can_ask, MessageModes messages) const;

  /// What no device of the board holds.
  void reset() { bus_.reset(); }

  /// The wires. The devices are on the board.
  void exchange(Archive& archive);

 private:
  Ledger& ledger_;
  ApicBus bus_;
  BusMessagePort messages_;
  std::deque<InterruptLine> cpu_intr_;  // by CPU; an InterruptLine can't move
  InterruptLine lint0_, past_the_apics_;
  std::deque<InterruptLine> hpet_lines_;
  std::vector<std::unique_ptr<LocalApic>> local_;
  std::unique_ptr<IoApic> io_apic_;
  std::unique_ptr<Imcr> imcr_;
  std::unique_ptr<Hpet> hpet_;
};

}  // namespace vitrine
