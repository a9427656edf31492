#include "kernel/core/timer_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace pulse {
namespace {

struct Recorded : Timer {
  std::vector<u64>* times = nullptr;
  Recorded() {
    expired = [](Timer& self, u64) {
      auto& timer = static_cast<Recorded&>(self);
      timer.times->push_back(timer.due);
    };
  }
};

TEST(TimerQueue, timers_expire_in_order_and_only_when_due) {
  TimerQueue queue;
  std::vector<u64> times;
  std::vector<Recorded> timers(200);
  std::mt19937 random(1);
  for (Recorded& timer : timers) {
    timer.times = &times;
    queue.add(timer, random() % 1000);
  }
  for (u64 now = 0; now < 1000; now += 50) {
    queue.expire(now);
    for (const u64 time : times) EXPECT_LE(time, now);
  }
  queue.expire(1000);
  EXPECT_EQ(times.size(), timers.size());
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  EXPECT_EQ(queue.next_due(), TimerQueue::never);
}

TEST(TimerQueue, a_timer_that_was_removed_or_moved_expires_never_or_later) {
  TimerQueue queue;
  std::vector<u64> times;
  Recorded first, second, third;
  for (Recorded* timer : {&first, &second, &third}) timer->times = &times;
  queue.add(first, 10);
  queue.add(second, 20);
  queue.add(third, 30);
  queue.remove(first);
  queue.add(second, 40);
  queue.expire(35);
  EXPECT_EQ(times, std::vector<u64>{30});
  EXPECT_FALSE(first.is_set());
  EXPECT_TRUE(second.is_set());
}

TEST(TimerQueue, a_timer_may_be_set_again_when_it_expires) {
  TimerQueue queue;
  struct Periodic : Timer {
    TimerQueue* queue = nullptr;
    int calls = 0;
  } timer;
  timer.queue = &queue;
  timer.expired = [](Timer& self, u64) {
    auto& periodic = static_cast<Periodic&>(self);
    ++periodic.calls;
    periodic.queue->add(periodic, periodic.due + 10);
  };
  queue.add(timer, 10);
  queue.expire(35);
  EXPECT_EQ(timer.calls, 3);
}

TEST(TimerQueue, says_when_a_timer_comes_before_all_others) {
  static int told = 0;
  TimerQueue queue;
  queue.sooner = [] { ++told; };
  Timer first, later, sooner;
  queue.add(first, 50);
  EXPECT_EQ(told, 1);
  queue.add(later, 60);
  EXPECT_EQ(told, 1);
  queue.add(sooner, 40);
  EXPECT_EQ(told, 2);
  for (Timer* timer : {&first, &later, &sooner}) queue.remove(*timer);
}

}  // namespace
}  // namespace pulse
