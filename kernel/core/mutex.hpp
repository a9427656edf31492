// A lock for what sleeps while it has it, such as a file system that waits for its disk. Signals don't end the wait for
// it. Not for interrupt handlers. On the host, where tests run one thread, it only notices who locks twice.
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
  void lock() {
    PULSE_ASSERT(!locked_);
    locked_ = true;
  }
  void unlock() { locked_ = false; }
#else
  void lock();
  void unlock();
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
  WaitQueue waiters_;
#endif
};

}  // namespace pulse
