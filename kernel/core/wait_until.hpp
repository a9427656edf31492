// The body of wait_until() and wait_in_any_case(): part of scheduler.hpp.
#pragma once

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/tick.hpp"
#include "kernel/core/time.hpp"

namespace pulse {

namespace blocking {

enum class Signals : u8 { EndIt, Wait };

template <Signals signals, class IsReady>
WaitResult until(WaitQueue& queue, IsReady is_ready, u64 deadline) {
  const InterruptsOff off;
  Thread& thread = current_thread();
  ThreadWaiter waiter(thread);
  queue.add(waiter);
  WaitResult result = WaitResult::Ready;
  // Looking and blocking are one step, because interrupts are off from the one to the other: a wake-up that comes in
  // between would be lost.
  while (!is_ready()) {
    if (signals == Signals::EndIt && wait_is_interrupted()) {
      result = WaitResult::Interrupted;
      break;
    }
    if (nanoseconds_since_boot() >= deadline) {
      result = WaitResult::TimedOut;
      break;
    }
    if (signals == Signals::Wait && thread.priority == RunEntry::idle_priority) {
      wait_for_event();
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

}  // namespace blocking

template <class IsReady>
WaitResult wait_until(WaitQueue& queue, IsReady is_ready, u64 deadline) {
  return blocking::until<blocking::Signals::EndIt>(queue, is_ready, deadline);
}

template <class IsReady>
WaitResult wait_in_any_case(WaitQueue& queue, IsReady is_ready, u64 deadline) {
  return blocking::until<blocking::Signals::Wait>(queue, is_ready, deadline);
}

}  // namespace pulse
