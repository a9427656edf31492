// Counter 0 of the 8254 interval timer: the tick (Intel 231164).
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

inline constexpr u32 pit_input_hz = 1'193'182;

/// Mode 2 on counter 0: line 0 rises `hz` times a second, as near as the divisor allows. 19..100000.
/// Returns the nanoseconds between two rises.
u64 start_pit(u32 hz);

}  // namespace pulse
