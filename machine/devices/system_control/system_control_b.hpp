// System control port B, port 0x61: the gate and output of timer channel 2, the speaker, the refresh toggle; and where
// a PC collects its non-maskable interrupts.
//
// Manual: Intel 82371AB (PIIX4) data sheet, 290562, "NMI Status and Control Register"; IBM PC/AT Technical Reference.
//
// How its interrupt behaves: an adapter's IOCHK# sets bit 6, and SERR# sets bit 7, unless the source is switched off by
// bit 3 or 2; writing a 1 there clears the status too. While a status bit is set the NMI wire is high. The button on
// the front makes a pulse and leaves no status. Bit 7 of port 0x70 (on the wire nmi_mask) keeps the wire low, whatever
// asks: a status bit then waits, a pulse is lost. The wire leads to LINT1 of the local APICs, or to the CPU's NMI.
//
// Bit 4 toggles with every refresh of the memory, each 18 timer clocks (15.086 us). The refresh goes on whatever
// counter 1 of the timer is set to: chipsets of the PCI age have their own.
//
// Not modelled: sound.
#pragma once

#include <array>
#include <string_view>

#include "base/types.hpp"
#include "machine/core/device.hpp"
#include "machine/core/device_records.hpp"
#include "machine/core/gate_and_output.hpp"
#include "machine/core/interrupt_line.hpp"

namespace vitrine {

class SystemControlB final : public Device {
 public:
  static constexpr Region registers{0};  ///< 1 byte
  static constexpr Pin nmi_mask{0};      ///< port 0x70, bit 7: high keeps NMIs from the CPU
  /// What asks for an NMI, as in InputKind::Nmi. Cause in the Raised record.
  enum class NmiSource : u8 { None, IoCheck, SystemError, Button };

  /// `channel`: counter 2 of the timer. `nmi`: the NMI wire.
  SystemControlB(DeviceContext context, GateAndOutput& channel, LineDriver nmi = {})
      : context_(context), channel_(channel), nmi_(nmi) {}

  [[nodiscard]] std::string_view name() const override { return "system_control_b"; }
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override { return peek(region, offset, size); }
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void line_changed(Pin pin, Level level, RequestId request) override;
  void exchange(Archive& archive) override;

  /// The signal that goes to the speaker: OUT 2 and the speaker bit.
  [[nodiscard]] Level speaker() const;

  /// Something is wrong on the bus, or somebody presses the button.
  void ask_for_nmi(NmiSource source);

 private:
  struct State {
    u8 control = 0;  // bits 0-3
    u8 status = 0;   // bits 6 and 7
    bool masked = false;
    bool raised = false;  // the NMI wire is high
    // For the ledger.
    BitSettings<4> control_settings;
    Setting mask_set{};
    std::array<Withholding, 4> told{};  // by NmiSource
  };
  [[nodiscard]] NmiSource cause() const;
  void withheld(NmiSource source, WithheldCause cause, const Setting& setting);
  void raise(NmiSource source);
  void lower();
  void update();

  DeviceContext context_;
  GateAndOutput& channel_;
  LineDriver nmi_;
  State state_;
};

}  // namespace vitrine
