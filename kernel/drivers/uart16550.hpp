// A 16550 serial port (National PC16550D). Polled output for the log; received bytes come by interrupt.
#pragma once

#include "kernel/core/log.hpp"
#include "kernel/core/types.hpp"

namespace pulse {

class Uart16550 final : public Console {
 public:
  explicit constexpr Uart16550(u16 base) : base_(base) {}
  /// 115200 baud, 8N1, FIFOs on, interrupts off. False if there is no such chip.
  bool initialise();
  void write(std::string_view text) override;

 private:
  void put(char character);
  u16 base_;
};

}  // namespace pulse
