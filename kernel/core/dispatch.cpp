// Where entry.S goes: sorts vectors into exceptions, device lines and the rest.
#include "kernel/core/dispatch.hpp"

#include "kernel/arch/x86_64/exceptions.hpp"
#include "kernel/arch/x86_64/frame.hpp"
#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/core/bottom_half.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"

namespace pulse {

namespace {
constexpr u64 exceptions_end = 32;
}

extern "C" void interrupt_entry(Frame& frame) {
  if (frame.vector < exceptions_end) return handle_exception(frame);
  const u64 line = frame.vector - first_line_vector;
  if (line >= InterruptManager::lines) {
    log_warning("vector {:#x} has no source", frame.vector);
    return;
  }
  PerCpu& cpu = this_cpu();
  ++cpu.interrupt_depth;
  if (kernel().interrupts.dispatch(static_cast<u8>(line), frame)) cpu.reschedule = true;
  // The last top half to end does the rest; those that come while it does leave theirs to it.
  if (cpu.interrupt_depth == 1) run_bottom_halves();
  --cpu.interrupt_depth;
  if (!frame.from_user()) preempt_if_wanted();
}

void return_to_program(Frame& frame) {
  preempt_if_wanted();
  if (wait_is_interrupted() || frame.vector == Frame::syscall_vector) deliver_signals(frame);
}

extern "C" void return_to_user(Frame& frame) { return_to_program(frame); }

}  // namespace pulse
