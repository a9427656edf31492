// The lock around the kernel: with several CPUs, one at a time runs kernel code; programs run on all of them.
//
// Every way into the kernel takes it and every way out gives it back, so that the rest of the kernel is written as for
// one CPU: it holds off interrupts, and nobody else looks. A CPU may enter again (an interrupt in a system call); a
// thread that gives up the CPU in the kernel hands the lock on to the thread that goes on. Waiting CPUs have interrupts
// off; they answer requests to flush pages meanwhile, or the one that waits for the answer would wait for ever.
#pragma once

#include <atomic>

#include "kernel/core/types.hpp"

namespace pulse {

/// First come, first served (a ticket lock). Interrupts are off while one is waited for or held.
class SpinLock {
 public:
  /// Calls `meanwhile()` again and again while another CPU has it.
  template <class Meanwhile>
  void lock(Meanwhile meanwhile) {
    const u32 ticket = next_.fetch_add(1, std::memory_order_relaxed);
    while (serving_.load(std::memory_order_acquire) != ticket) {
      meanwhile();
      __builtin_ia32_pause();
    }
  }
  void unlock() { serving_.store(serving_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

 private:
  std::atomic<u32> next_{0}, serving_{0};
};

/// Interrupts are off in both.
void enter_kernel();
void leave_kernel();

}  // namespace pulse
