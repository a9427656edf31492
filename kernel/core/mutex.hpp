// A lock for what sleeps while it has it, such as a file system that waits for its disk. Signals don't end the wait for
// it. Not for interrupt handlers. On the host, a test of several threads says how others get to run (host/turns.hpp);
// in one of a single thread it notices who locks twice.
#pragma once

#if __STDC_HOSTED__
#include "kernel/core/assert.hpp"
#else
#include "kernel/core/wait_queue.hpp"
#endif

namespace pulse {

class Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

#if __STDC_HOSTED__
  inline static void (*let_others_run)() = nullptr;
  void lock() {
    while (locked_) {
      PULSE_ASSERT(let_others_run != nullptr);
      let_others_run();
    }
    locked_ = true;
  }
  void unlock() { locked_ = false; }
#else
  void lock() {
    if (__atomic_exchange_n(&locked_, true, __ATOMIC_ACQUIRE)) wait();
  }
  void unlock() {
    __atomic_store_n(&locked_, false, __ATOMIC_RELEASE);
    if (!waiters_.empty()) waiters_.wake(ready::all);
  }
#endif

  class Hold {
   public:
    explicit Hold(Mutex& mutex) : mutex_(mutex) { mutex_.lock(); }
    ~Hold() { mutex_.unlock(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    Mutex& mutex_;
  };

 private:
  bool locked_ = false;
#if !__STDC_HOSTED__
  void wait();
  WaitQueue waiters_;
#endif
};

}  // namespace pulse
