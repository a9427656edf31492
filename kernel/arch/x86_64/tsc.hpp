// The time stamp counter as clock: monotonic, the same on all CPUs, and read by one instruction.
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

/// Finds its frequency: from CPUID leaf 15h where that has it, else by the PIT's counter 2. Its count of now is time 0.
void start_tsc_clock();
[[nodiscard]] u64 tsc_kilohertz();

}  // namespace pulse
