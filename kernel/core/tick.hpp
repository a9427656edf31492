// The tick: what the timer's interrupt does.
#pragma once

#include "kernel/core/time.hpp"

namespace pulse {

/// Starts the timer at `hz` (19..10000; others are brought into the range) on line 0.
void start_tick(u32 hz);

}  // namespace pulse
