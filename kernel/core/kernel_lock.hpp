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
  void unlock() { serving_.publish(serving_.load_published() + 1); }

 private:
  Atomic<u32> next_{0}, serving_{0};
};

/// Interrupts are off in all of them.
void enter_kernel();
/// False: another CPU is in the kernel.
[[nodiscard]] bool try_enter_kernel();
/// The same as enter_kernel(), but interrupts are served while it waits.
void enter_kernel_politely();
void leave_kernel();

/// The line interrupted and was ended, but its handlers have not run: whoever leaves the kernel next runs them.
void defer(u8 line);

}  // namespace pulse
