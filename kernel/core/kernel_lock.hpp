// The lock around the kernel: with several CPUs, one at a time runs kernel code; programs run on all of them.
//
// Every way into the kernel takes it and every way out gives it back, so that the rest of the kernel is written as for
// one CPU: it holds off interrupts, and nobody else looks. A CPU may enter again (an interrupt in a system call); a
// thread that gives up the CPU in the kernel hands the lock on to the thread that goes on.
//
// Interrupts don't wait for it. One that finds it taken is ended at once and left to the CPU that has it: that one runs
// the handler before it gives the lock back (defer()). Only a line that stays active until its device is quiet (level)
// can't be ended so early: its interrupt waits. Whoever waits answers requests to flush pages meanwhile, or the one
// that waits for the answer would wait for ever. An NMI never takes it (exceptions.hpp).
#pragma once

#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/core/atomic.hpp"
#include "kernel/core/types.hpp"

namespace pulse {

/// First come, first served (a ticket lock). Interrupts are off while one is waited for or held.
class SpinLock {
 public:
  /// Calls `meanwhile()` again and again while another CPU has it.
  template <class Meanwhile>
  void lock(Meanwhile meanwhile) {
    const u32 ticket = next_.fetch_add(1);
    while (serving_.load_published() != ticket) {
      meanwhile();
      __builtin_ia32_pause();
    }
  }
  [[nodiscard]] bool try_lock() {
    const u32 ticket = serving_.load_published();
    return next_.replace(ticket, ticket + 1);
  }
  /// What is loaded afterwards is not older: a locked operation, and not just a publication.
  void unlock() { serving_.fetch_add(1); }

 private:
  Atomic<u32> next_{0}, serving_{0};
};

namespace kernel_lock {
extern SpinLock lock;
extern Atomic<u32> deferred_lines;  // bit n: line n
void wait();
void wait_politely();
void leave_with_deferred();
}  // namespace kernel_lock

// Interrupts are off in all of them.

/// False: another CPU is in the kernel.
[[nodiscard]] inline bool try_enter_kernel() {
  PerCpu& cpu = this_cpu();
  if (cpu.kernel_depth == 0 && !kernel_lock::lock.try_lock()) return false;
  ++cpu.kernel_depth;
  return true;
}
inline void enter_kernel() {
  if (!try_enter_kernel()) kernel_lock::wait();
}
/// The same, but interrupts are served while it waits.
inline void enter_kernel_politely() {
  if (!try_enter_kernel()) kernel_lock::wait_politely();
}
inline void leave_kernel() {
  PerCpu& cpu = this_cpu();
  if (cpu.kernel_depth > 1) {
    --cpu.kernel_depth;
    return;
  }
  if (kernel_lock::deferred_lines.load() == 0) {
    cpu.kernel_depth = 0;
    kernel_lock::lock.unlock();
    // One that is deferred after the last look finds the lock free, or this CPU looks once more.
    if (kernel_lock::deferred_lines.load() == 0 || !try_enter_kernel()) return;
  }
  kernel_lock::leave_with_deferred();
}

/// The line interrupted and was ended, but its handlers have not run: whoever leaves the kernel next runs them.
void defer(u8 line);

}  // namespace pulse
