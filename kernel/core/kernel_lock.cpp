#include "kernel/core/kernel_lock.hpp"

#include <bit>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/arch/x86_64/processors.hpp"
#include "kernel/core/bottom_half.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/scheduler.hpp"

namespace pulse {

namespace kernel_lock {
SpinLock lock;
Atomic<u32> deferred_lines{0};
static_assert(InterruptManager::lines <= 32);
}  // namespace kernel_lock

using kernel_lock::deferred_lines;

namespace {

/// This CPU is in the kernel.
void serve_deferred() {
  PerCpu& cpu = this_cpu();
  ++cpu.interrupt_depth;
  for (u32 lines = deferred_lines.exchange(0); lines != 0; lines &= lines - 1) {
    if (kernel().interrupts.serve(static_cast<u8>(std::countr_zero(lines)))) cpu.reschedule = true;
  }
  if (cpu.interrupt_depth == 1) run_bottom_halves();
  --cpu.interrupt_depth;
}

}  // namespace

void kernel_lock::wait() {
  lock.lock(answer_flush_request);
  ++this_cpu().kernel_depth;
}

void kernel_lock::wait_politely() {
  const PreemptionOff here;  // this CPU waits, and not the thread
  do {
    interrupts_on();
    asm volatile("pause");
    interrupts_off();
  } while (!try_enter_kernel());
}

void kernel_lock::leave_with_deferred() {
  do {
    while (deferred_lines.load() != 0) serve_deferred();
    this_cpu().kernel_depth = 0;
    lock.unlock();
  } while (deferred_lines.load() != 0 && try_enter_kernel());
}

void defer(u8 line) {
  deferred_lines.fetch_or(u32{1} << line);
  if (try_enter_kernel()) leave_kernel();
}

}  // namespace pulse
