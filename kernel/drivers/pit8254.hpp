// The 8254 interval timer (Intel 231164): counter 0 makes the tick, counter 2 measures.
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

inline constexpr u32 pit_input_hz = 1'193'182;

/// Mode 2 on counter 0: line 0 rises `hz` times a second, as near as the divisor allows. 19..100000.
/// Returns the nanoseconds between two rises.
u64 start_pit(u32 hz);

/// Mode 0 on counter 0 instead: line 0 rises once, after so many nanoseconds, or as many as the counter can count
/// (54.9 ms).
void start_pit_once(u64 nanoseconds);

/// Has it? For whoever looks instead of being interrupted.
[[nodiscard]] bool pit_ran_out();

/// Counter 2, whose output nobody but us can see: counts down from `count` (1..65535).
void start_pit_stopwatch(u32 count);
[[nodiscard]] bool pit_stopwatch_ran_out();

}  // namespace pulse
