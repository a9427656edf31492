// Where entry.S goes: sorts vectors into exceptions, device lines and the rest.
#include "kernel/core/dispatch.hpp"

#include <utility>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/exceptions.hpp"
#include "kernel/arch/x86_64/frame.hpp"
#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/arch/x86_64/processors.hpp"
#include "kernel/core/bottom_half.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/kernel_lock.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/core/tick.hpp"
#include "kernel/drivers/local_apic.hpp"

namespace pulse {

namespace {
constexpr u64 nmi_vector = 2, exceptions_end = 32;

/// Those of the CPU's own interrupt controller.
void serve_local_vector(Frame& frame) {
  switch (frame.vector) {
    case vector::timer:
      local_tick(frame);
      break;
    case vector::reschedule:
      this_cpu().reschedule = true;
      break;
    case vector::spurious:
      return;  // wants no end (SDM vol. 3A, "spurious interrupt")
    case vector::error:
      log_warning("local APIC: errors {:#x}", LocalApic::take_errors());
      break;
    case vector::thermal:
      log_warning("the CPU is too hot, or cool again");
      break;
    case vector::performance:
      break;
    default:
      log_warning("vector {:#x} has no source", frame.vector);
      return;
  }
  LocalApic::end_of_interrupt();
}

/// Another CPU is in the kernel, and no handler waits for it. False: this interrupt must.
bool serve_without_kernel(const Frame& frame) {
  const u8 line = kernel().interrupts.line_of(frame.vector);
  if (line != InterruptManager::no_line) {
    if (!kernel().interrupts.end_early(line)) return false;
    defer(line);
    return true;
  }
  PerCpu& cpu = this_cpu();
  switch (frame.vector) {
    case vector::timer:
      cpu.owes_tick = true;
      break;
    case vector::reschedule:
      cpu.reschedule = true;
      break;
    default:
      return false;
  }
  LocalApic::end_of_interrupt();
  return true;
}

/// Whatever it is, but for what a return to ring 3 does.
void serve(Frame& frame) {
  if (frame.vector < exceptions_end) return handle_exception(frame);
  const u8 line = kernel().interrupts.line_of(frame.vector);
  PerCpu& cpu = this_cpu();
  ++cpu.interrupt_depth;
  if (line == InterruptManager::no_line) {
    serve_local_vector(frame);
  } else if (kernel().interrupts.dispatch(line, frame)) {
    cpu.reschedule = true;
  }
  // The last top half to end does the rest; those that come while it does leave theirs to it.
  if (cpu.interrupt_depth == 1) run_bottom_halves();
  --cpu.interrupt_depth;
  if (!frame.from_user()) preempt_if_wanted();
}

}  // namespace

extern "C" void interrupt_entry(Frame& frame) {
  ++this_cpu().vector_counts[frame.vector];
  if (frame.vector == nmi_vector) return note_nmi();  // it may have come while the lock was just being taken
  if (frame.vector == vector::flush_pages) {          // the one who asks has the kernel's lock, and waits
    answer_flush_request();
    return LocalApic::end_of_interrupt();
  }
  if (frame.vector == vector::stop) halt_for_good();
  if (frame.vector < exceptions_end) {
    enter_kernel();
  } else if (!try_enter_kernel()) {
    if (serve_without_kernel(frame)) return;
    enter_kernel();
  }
  serve(frame);
  if (ticks_are_polled && frame.from_user()) look_at_timer(frame);
  leave_kernel();
}

void leave_to_program(Frame& frame) {
  for (;;) {
    if (std::exchange(this_cpu().owes_tick, false)) local_tick(frame);
    preempt_if_wanted();
    if (has_signal_work(current_thread()) || frame.vector == Frame::syscall_vector) deliver_signals(frame);
    leave_kernel();
    // Handlers that were left to this CPU ran just now, and may have found something for it.
    if (!is_wanted(current_thread())) return;
    enter_kernel_politely();
  }
}

extern "C" void return_to_user(Frame& frame) {
  if (frame.vector != Frame::syscall_vector && !is_wanted(current_thread())) return;
  enter_kernel_politely();
  leave_to_program(frame);
}

}  // namespace pulse
