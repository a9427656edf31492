// How warm a core is: heated by the instructions that it executes, cooled by its heat sink, in virtual time.
//
// One thermal resistance and one capacity, so that temperature follows the load exponentially with a time constant of
// 2^27 ns (0.13 s), which a small die with its lid has: rise += (load * rise at full load - rise) / 128 each 2^20 ns.
// Integers only: the same run is equally warm on every host. Air and heat sink are the machine's options; the defaults
// keep a core that never halts 5 degrees below TjMax, as a PC in order does.
#pragma once

#include "base/types.hpp"
#include "machine/core/archive.hpp"

namespace vitrine {

class DieTemperature {
 public:
  /// In thousandths of a degree Celsius.
  struct Cooling {
    static constexpr u32 most_ambient = 90'000, most_rise = 150'000;
    u32 ambient = 40'000;            ///< of the air: 0..most_ambient
    u32 rise_at_full_load = 55'000;  ///< above it, of a core that never halts: 0..most_rise
    bool operator==(const Cooling&) const = default;
  };
  static constexpr u64 step_ns = u64{1} << 20;

  explicit DieTemperature(Cooling cooling) : cooling_(cooling) {}

  /// Brings it up to `now`. `retired`: all instructions of this core until now; a nanosecond has at most one.
  void advance(Tick now, u64 retired);
  [[nodiscard]] const Cooling& cooling() const { return cooling_; }
  [[nodiscard]] u32 millidegrees() const { return cooling_.ambient + rise_ / 1000; }
  /// At ambient temperature, where it stays as long as no instruction is executed.
  [[nodiscard]] bool is_cold() const { return settled_ && rise_ < 128; }
  void exchange(Archive& archive) { archive(sampled_, retired_, rise_, settled_); }

 private:
  Cooling cooling_;
  Tick sampled_{};
  u64 retired_ = 0;
  u32 rise_ = 0;  // microdegrees above ambient
  bool settled_ = true;
};

}  // namespace vitrine
