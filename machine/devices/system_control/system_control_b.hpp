// System control port B, port 0x61: the gate and output of timer channel 2, the speaker, the refresh toggle.
//
// Manual: Intel 82371AB (PIIX4) data sheet, 290562, "NMI Status and Control Register"; IBM PC/AT Technical Reference.
//
// How its interrupt behaves: it has none. Bits 2 and 3 enable NMIs for parity and I/O channel check; the enables are
// kept, the two causes (bits 6 and 7) never happen here.
//
// Bit 4 toggles with every refresh of the memory, each 18 timer clocks (15.086 us). The refresh goes on whatever
// counter 1 of the timer is set to: chipsets of the PCI age have their own.
//
// Not modelled: sound.
#pragma once

#include <string_view>

#include "base/types.hpp"
#include "machine/core/device.hpp"
#include "machine/core/gate_and_output.hpp"

namespace vitrine {

class SystemControlB final : public Device {
 public:
  static constexpr Region registers{0};  ///< 1 byte

  /// `channel`: counter 2 of the timer.
  SystemControlB(DeviceContext context, GateAndOutput& channel) : context_(context), channel_(channel) {}

  [[nodiscard]] std::string_view name() const override { return "system_control_b"; }
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override { return peek(region, offset, size); }
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void exchange(Archive& archive) override;

  /// The signal that goes to the speaker: OUT 2 and the speaker bit.
  [[nodiscard]] Level speaker() const;

 private:
  struct State {
    u8 control = 0;  // bits 0-3
  };
  void update();

  DeviceContext context_;
  GateAndOutput& channel_;
  State state_;
};

}  // namespace vitrine
