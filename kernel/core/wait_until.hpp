// The body of wait_until(): part of scheduler.hpp.
#pragma once

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/time.hpp"

namespace pulse {

template <class IsReady>
WaitResult wait_until(WaitQueue& queue, IsReady is_ready, u64 deadline) {
  const InterruptsOff off;
  Thread& thread = current_thread();
  ThreadWaiter waiter(thread);
  queue.add(waiter);
  WaitResult result = WaitResult::Ready;
  // Looking and blocking are one step, because interrupts are off from the one to the other: a wake-up that comes in
  // between would be lost.
  while (!is_ready()) {
    if (wait_is_interrupted()) {
      result = WaitResult::Interrupted;
      break;
    }
    if (nanoseconds_since_boot() >= deadline) {
      result = WaitResult::TimedOut;
      break;
    }
    thread.state = ThreadState::Blocked;
    if (deadline != TimerQueue::never) timers().add(thread.sleep, deadline);
    schedule();
    timers().remove(thread.sleep);
  }
  queue.remove(waiter);
  return result;
}

template <class IsReady>
WaitResult wait_in_any_case(WaitQueue& queue, IsReady is_ready, u64 deadline) {
  const InterruptsOff off;
  Thread& thread = current_thread();
  const bool is_idle = thread.priority == RunEntry::idle_priority;
  ThreadWaiter waiter(thread);
  queue.add(waiter);
  WaitResult result = WaitResult::Ready;
  while (!is_ready()) {
    if (nanoseconds_since_boot() >= deadline) {
      result = WaitResult::TimedOut;
      break;
    }
    if (is_idle) {
      wait_for_interrupt();
      continue;
    }
    thread.state = ThreadState::Blocked;
    if (deadline != TimerQueue::never) timers().add(thread.sleep, deadline);
    schedule();
    timers().remove(thread.sleep);
  }
  queue.remove(waiter);
  return result;
}

}  // namespace pulse
