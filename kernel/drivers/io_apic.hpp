// Lines by I/O APIC and local APIC (Intel 82093AA data sheet; SDM vol. 3A chapter 11).
#pragma once

#include "kernel/core/interrupts.hpp"
#include "kernel/core/platform.hpp"

namespace pulse {

/// Lines 0..15 are ISA's, wherever the tables say that they arrive; 16 and up are pins by their system-wide number.
/// Line n has vector first_vector + n. All go to one processor.
class IoApicLines final : public InterruptController {
 public:
  static constexpr u8 first_vector = 0x30;

  /// Takes over from the 8259s, which the caller has masked. Every pin is masked.
  void initialise(const Platform& platform, u32 destination);

  [[nodiscard]] std::string_view name() const override { return "IO-APIC"; }
  [[nodiscard]] u8 vector_of(u8 line) const override { return static_cast<u8>(first_vector + line); }
  [[nodiscard]] bool is_level(u8 line) const override {
    return line < InterruptManager::first_message && lines_[line].trigger == Platform::Trigger::Level;
  }
  void mask(u8 line) override;
  void unmask(u8 line) override;
  void end(u8 line) override;
  [[nodiscard]] bool is_spurious(u8) override { return false; }

 private:
  struct Chip {
    volatile u32* window = nullptr;
    u32 first_pin = 0, pins = 0;
  };
  [[nodiscard]] u32 read(const Chip& chip, u8 number) const;
  void write(const Chip& chip, u8 number, u32 value);
  void write_line(u8 line, bool masked);

  Chip chips_[Platform::most_io_apics];
  std::size_t chip_count_ = 0;
  Platform::Line lines_[InterruptManager::lines];
  u32 destination_ = 0;
};

}  // namespace pulse
