// The way back to ring 3.
#pragma once

#include "kernel/arch/x86_64/frame.hpp"
#include "kernel/core/signals.hpp"

namespace pulse {

/// The running thread, a program's, may not go on in ring 3 before somebody looks in the kernel.
[[nodiscard]] inline bool is_wanted(const Thread& running) {
  const PerCpu& cpu = this_cpu();
  return cpu.reschedule || cpu.owes_tick || has_signal_work(running);
}

/// Leaves the kernel after what must be done before a program goes on: another thread's turn, signals. Interrupts are
/// off.
void leave_to_program(Frame& frame);

}  // namespace pulse
