// The PC's glue between the floating-point unit's FERR# and IRQ 13, and the ports 0xF0 and 0xF1 that clear it.
//
// Manuals: Intel 82371SB PIIX3 datasheet (290550), 2.5.5.2 (coprocessor error register) and 3.7.4; Intel SDM volume 1,
// appendix D.2.1 (the MS-DOS compatibility mode).
// Interrupt: FERR# going active raises IRQ 13 and holds it. A write to port 0xF0 lowers IRQ 13 and asserts IGNNE#, so
// that the handler can use floating-point instructions; IGNNE# ends when FERR# does.
// Not modelled: port 0xF1 reset the 80287; on later machines it does what 0xF0 does.
#pragma once

#include "machine/core/device.hpp"
#include "machine/core/interrupt_line.hpp"

namespace vitrine {

class FpuError final : public Device {
 public:
  enum class Window : u8 { Clear };
  static constexpr Port first_port{0xF0};
  static constexpr u32 port_count = 2;
  /// Input pins. High means active, whatever the polarity of the real signal.
  static constexpr Pin ferr_pin{0};

  /// `irq13` and `ignne` are outputs; `ignne` goes to the CPU.
  FpuError(DeviceContext context, LineDriver irq13, LineDriver ignne);

  [[nodiscard]] std::string_view name() const override { return "fpu-error"; }
  void accessed(u64 where) override { irq13_.attended(where); }
  void reset() override;
  u64 read(Region, u64, AccessSize) override { return 0; }
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region, u64, AccessSize) const override { return 0; }
  void line_changed(Pin pin, Level level, RequestId request) override;
  void exchange(Archive& archive) override;

 private:
  struct State {
    bool ferr = false;     // the input's level
    bool latched = false;  // an error waits for port 0xF0
    bool ignore = false;   // IGNNE#
  };
  void update();

  LineDriver irq13_, ignne_;
  State state_;
};

}  // namespace vitrine
