// What is to happen when: a binary heap of timers by due time. Pure; times are nanoseconds since boot.
#pragma once

#include <vector>

#include "kernel/core/types.hpp"

namespace pulse {

struct Timer {
  /// Called once when it is due; it is out of the queue by then and may be added again, for later than `now`.
  void (*expired)(Timer& self, u64 now) = nullptr;
  u64 due = 0;
  static constexpr std::size_t out = ~std::size_t{0};
  std::size_t index = out;  ///< the queue's
  [[nodiscard]] bool is_set() const { return index != out; }
};

class TimerQueue {
 public:
  static constexpr u64 never = ~u64{0};
  /// Makes room, so that add() allocates nothing. For timers that are set with interrupts off.
  void reserve(std::size_t timers) { heap_.reserve(timers); }
  /// Sets it, or moves it to another time.
  void add(Timer& timer, u64 due);
  /// No effect if it is not set.
  void remove(Timer& timer);
  [[nodiscard]] u64 next_due() const { return heap_.empty() ? never : heap_.front()->due; }
  /// Takes out and calls all that are due by `now`, in order of time.
  void expire(u64 now);
  /// Called when a timer is added that is due before all others: whoever sleeps until next_due() sleeps too long.
  void (*sooner)() = nullptr;

 private:
  void put(std::size_t index, Timer& timer);
  void rise(std::size_t index);
  void sink(std::size_t index);
  std::vector<Timer*> heap_;
};

}  // namespace pulse
