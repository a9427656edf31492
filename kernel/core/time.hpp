// Time since boot: the time stamp counter is the clock (arch/x86_64/tsc.hpp), the tick only says when to look.
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

[[nodiscard]] u64 nanoseconds_since_boot();
/// The same as the last tick has left it: no later than one tick, and cheaper where the counter is slow to read.
[[nodiscard]] u64 nanoseconds_at_last_tick();
/// Timer interrupts so far.
[[nodiscard]] u64 ticks();
/// From one to the next.
[[nodiscard]] u64 nanoseconds_per_tick();

/// What to add for the time of day: nanoseconds from 1970 to boot, as the clock chip said.
[[nodiscard]] u64 boot_wall_nanoseconds();
void set_boot_wall_seconds(u64 seconds_since_1970);
void set_boot_wall_nanoseconds(u64 nanoseconds_since_1970);
[[nodiscard]] u64 wall_seconds();

}  // namespace pulse
