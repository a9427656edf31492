#include "kernel/core/wait_queue.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace pulse {
namespace {

struct Waiter : WaitEntry {
  Waiter(Kind wanted, bool takes_it) : takes(takes_it) {
    kind = wanted;
    woken = [](WaitEntry& self, u32) {
      auto& waiter = static_cast<Waiter&>(self);
      ++waiter.calls;
      return waiter.takes;
    };
  }
  bool takes;
  int calls = 0;
};

using Kind = WaitEntry::Kind;

TEST(WaitQueue, a_wake_up_calls_every_shared_entry_and_one_exclusive_one) {
  Waiter first(Kind::Exclusive, true), second(Kind::Exclusive, true), shared(Kind::Shared, true);
  WaitQueue queue;
  queue.add(first);
  queue.add(second);
  queue.add(shared);
  EXPECT_TRUE(queue.wake(ready::in));
  EXPECT_EQ(shared.calls, 1);
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(second.calls, 0);
}

TEST(WaitQueue, an_exclusive_entry_that_does_not_take_it_passes_it_on) {
  Waiter busy(Kind::Exclusive, false), asleep(Kind::Exclusive, true);
  WaitQueue queue;
  queue.add(busy);
  queue.add(asleep);
  EXPECT_TRUE(queue.wake(ready::in));
  EXPECT_EQ(asleep.calls, 1);
}

TEST(WaitQueue, nobody_takes_it_when_nobody_waits) {
  WaitQueue queue;
  EXPECT_FALSE(queue.wake(ready::in));
  EXPECT_TRUE(queue.empty());
}

TEST(WaitQueue, an_entry_may_leave_when_it_is_called) {
  struct Leaver : WaitEntry {
    WaitQueue* from = nullptr;
  } leaver;
  Waiter other(Kind::Shared, true);
  WaitQueue queue;
  leaver.from = &queue;
  leaver.woken = [](WaitEntry& self, u32) {
    static_cast<Leaver&>(self).from->remove(self);
    return true;
  };
  queue.add(other);
  queue.add(leaver);
  queue.wake(ready::in);
  EXPECT_EQ(other.calls, 1);
  queue.wake(ready::in);
  EXPECT_EQ(other.calls, 2);
  EXPECT_FALSE(leaver.queued);
}

TEST(WaitQueue, a_queue_that_ends_lets_its_entries_go) {
  Waiter one(Kind::Shared, true), another(Kind::Exclusive, true);
  {
    WaitQueue queue;
    queue.add(one);
    queue.add(another);
  }
  EXPECT_FALSE(one.queued);
  EXPECT_FALSE(another.queued);
}

}  // namespace
}  // namespace pulse
