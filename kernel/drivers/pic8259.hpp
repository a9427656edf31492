// The two 8259A interrupt controllers of a PC (Intel 231468; wiring: IBM PC/AT, the second one on pin 2 of the first).
#pragma once

#include "kernel/core/interrupts.hpp"

namespace pulse {

class Pic8259Pair final : public InterruptController {
 public:
  static constexpr u8 lines = 16;

  /// Puts lines 0..15 on vectors `base`..`base`+15, all of them masked. `base` is a multiple of 8.
  void initialise(u8 base);
  [[nodiscard]] std::string_view name() const override { return "8259"; }
  [[nodiscard]] u8 vector_of(u8 line) const override { return static_cast<u8>(base_ + line); }
  [[nodiscard]] bool is_level(u8) const override { return false; }
  void mask(u8 line) override;
  void unmask(u8 line) override;
  void end(u8 line) override;
  [[nodiscard]] bool is_spurious(u8 line) override;
  /// Its interrupt was delivered and has not been ended.
  [[nodiscard]] static bool is_in_service(u8 line);

 private:
  void write_masks();
  u8 base_ = 0;
  u16 masks_ = 0xFFFB;  // line 2 is the cascade
};

}  // namespace pulse
