// System control port A (port 0x92): the fast A20 gate and the fast reset.
//
// Manual: Intel 82371SB PIIX3 datasheet (290550), 2.5.5.1 (port 92 register).
// Interrupts: none.
// Not modelled: the activity light and the CMOS lock bits, which read back what was written.
#pragma once

#include "machine/core/device.hpp"
#include "machine/core/outside.hpp"

namespace vitrine {

class Port92 final : public Device {
 public:
  enum class Window : u8 { Control };
  static constexpr Port first_port{0x92};
  static constexpr u32 port_count = 1;

  Port92(DeviceContext context, MachineControl& control);

  [[nodiscard]] std::string_view name() const override { return "port92"; }
  void reset() override { state_ = State{}; }
  u64 read(Region region, u64 offset, AccessSize size) override { return peek(region, offset, size); }
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void exchange(Archive& archive) override;

 private:
  struct State {
    u8 other_bits = 0;  // all but A20, which is the machine's
  };
  MachineControl& control_;
  State state_;
};

}  // namespace vitrine
