// What the boot parameter demonstrate=NAME shows instead of a user's session.
#pragma once

#include "kernel/core/parameters.hpp"

namespace pulse {

/// spinners: two threads that never give up the CPU, and one that looks at them every 50 ms. Under
/// scheduling=preemptive both get on; under scheduling=cooperative the first one hangs the system.
/// sleepers: threads that sleep, and how late they wake.
/// device: a PCI device that interrupts on command, and the way its interrupts come.
/// stack-overflow, write-to-code, run-data, read-nothing, divide-by-zero, undefined-opcode, bad-selector, odd-address:
/// a mistake of the kernel, and the panic that explains it.
void start_demonstration(const Parameters& parameters);

}  // namespace pulse
