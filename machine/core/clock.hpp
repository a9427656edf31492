// Virtual time. Only the machine's run loop and the CPU advance it; nothing in machine/ sees another clock.
#pragma once

#include "base/assert.hpp"
#include "base/types.hpp"
#include "machine/core/archive.hpp"

namespace vitrine {

/// Nanoseconds since power-on. One instruction takes one nanosecond; a halted machine jumps to the next event.
class Clock {
 public:
  [[nodiscard]] Tick now() const { return now_; }
  void advance_to(Tick time) {
    VITRINE_ASSERT(time >= now_);
    now_ = time;
  }
  void exchange(Archive& archive) { archive(now_); }

 private:
  Tick now_{};
};

/// An exact integer ratio between virtual nanoseconds and a device's own clock.
/// counts(t) = floor(t * frequency / 1e9); both directions are exact for every tick below 2^63.
struct ClockRatio {
  u64 frequency_hz;

  /// Whole device clocks that have elapsed at `time`.
  [[nodiscard]] constexpr u64 counts_at(Tick time) const {
    return static_cast<u64>(static_cast<u128>(time.value) * frequency_hz / 1'000'000'000u);
  }
  /// The first tick at which counts_at() is at least `count`.
  [[nodiscard]] constexpr Tick tick_of(u64 count) const {
    return Tick(static_cast<u64>((static_cast<u128>(count) * 1'000'000'000u + frequency_hz - 1) / frequency_hz));
  }
};

}  // namespace vitrine
