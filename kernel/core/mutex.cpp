#include "kernel/core/mutex.hpp"

#include "kernel/core/scheduler.hpp"

namespace pulse {

void Mutex::wait() {
  const InterruptsOff off;
  Thread& thread = current_thread();
  while (locked_) {
    ThreadWaiter waiter(thread);
    waiter.kind = WaitEntry::Kind::Exclusive;
    waiters_.add(waiter);
    thread.state = ThreadState::Blocked;
    schedule();
    waiters_.remove(waiter);
  }
  locked_ = true;
}

}  // namespace pulse
