// Time since boot. The clock source is the timer interrupt's count, refined by the TSC once that is calibrated.
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

[[nodiscard]] u64 nanoseconds_since_boot();
/// Timer interrupts so far.
[[nodiscard]] u64 ticks();

}  // namespace pulse
