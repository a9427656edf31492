#include "kernel/fs/event_queue.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "kernel/core/critical.hpp"
#include "kernel/fs/event_files.hpp"
#include "kernel/fs/pipe.hpp"
#include "kernel/memory/kernel_buffer.hpp"

namespace pulse {
namespace {

namespace event = pulse::ready;

struct EventQueueTest : testing::Test {
  Ref<EventQueue> queue{new EventQueue};
  Ref<EventCounter> counter{new EventCounter(0, EventCounter::Reads::All)};

  static void post(EventCounter& to, u64 number = 1) {
    KernelBuffer bytes(&number, sizeof number);
    ASSERT_TRUE(to.write(bytes));
  }
  static u64 drain(EventCounter& from) {
    u64 number = 0;
    KernelBuffer bytes(&number, sizeof number);
    return from.read(bytes) ? number : 0;
  }
  static std::vector<WatchEvent> take(EventQueue& from, std::size_t most = 8) {
    std::vector<WatchEvent> events(most);
    events.resize(from.take(events));
    return events;
  }
  std::vector<WatchEvent> take() { return take(*queue); }
  using Events = std::vector<WatchEvent>;
};

TEST_F(EventQueueTest, a_level_triggered_file_is_told_as_long_as_it_is_ready) {
  ASSERT_TRUE(queue->add(3, *counter, {event::in, 77}));
  EXPECT_TRUE(take().empty());
  post(*counter);
  EXPECT_EQ(take(), (Events{{event::in, 77}}));
  EXPECT_EQ(take(), (Events{{event::in, 77}}));
  drain(*counter);
  EXPECT_TRUE(take().empty());
}

TEST_F(EventQueueTest, an_edge_triggered_counter_is_told_again_on_every_write) {
  ASSERT_TRUE(queue->add(3, *counter, {event::in | watch_flag::edge, 1}));
  post(*counter);
  EXPECT_EQ(take().size(), 1u);
  EXPECT_TRUE(take().empty());
  post(*counter);  // not drained in between
  EXPECT_EQ(take().size(), 1u);
}

TEST_F(EventQueueTest, drained_and_ready_again_without_a_wait_in_between_is_told) {
  ASSERT_TRUE(queue->add(3, *counter, {event::in | watch_flag::edge, 1}));
  post(*counter);
  EXPECT_EQ(take().size(), 1u);
  drain(*counter);
  post(*counter);
  EXPECT_EQ(take().size(), 1u);
}

TEST_F(EventQueueTest, one_shot_stays_disarmed_until_it_is_changed) {
  ASSERT_TRUE(queue->add(3, *counter, {event::in | watch_flag::one_shot, 1}));
  post(*counter);
  EXPECT_EQ(take().size(), 1u);
  post(*counter);
  EXPECT_TRUE(take().empty());
  ASSERT_TRUE(queue->change(3, *counter, {event::in | watch_flag::one_shot, 2}));
  EXPECT_EQ(take(), (Events{{event::in, 2}}));
}

TEST_F(EventQueueTest, adding_and_changing_arm_the_edge) {
  post(*counter);
  ASSERT_TRUE(queue->add(3, *counter, {event::in | watch_flag::edge, 1}));
  EXPECT_EQ(take().size(), 1u);
  ASSERT_TRUE(queue->change(3, *counter, {event::in | watch_flag::edge, 1}));
  EXPECT_EQ(take().size(), 1u);
}

TEST_F(EventQueueTest, mistakes_have_linuxs_errors) {
  EXPECT_EQ(queue->add(4, *queue, {event::in, 0}).error(), Errno::Invalid);
  ASSERT_TRUE(queue->add(3, *counter, {event::in, 0}));
  EXPECT_EQ(queue->add(3, *counter, {event::in, 0}).error(), Errno::Exists);
  EXPECT_TRUE(queue->add(5, *counter, {event::in, 0}));  // another descriptor of it
  EXPECT_EQ(queue->change(9, *counter, {event::in, 0}).error(), Errno::NoEntry);
  EXPECT_EQ(queue->remove(9, *counter).error(), Errno::NoEntry);
  const Ref<File> plain(new File);
  EXPECT_EQ(queue->add(6, *plain, {event::in, 0}).error(), Errno::PermissionDenied);
  EXPECT_EQ(queue->change(3, *counter, {event::in | watch_flag::exclusive, 0}).error(), Errno::Invalid);
}

TEST_F(EventQueueTest, cycles_of_one_and_of_three_are_refused) {
  Ref<EventQueue> second(new EventQueue), third(new EventQueue);
  ASSERT_TRUE(queue->add(4, *second, {event::in, 0}));
  ASSERT_TRUE(second->add(5, *third, {event::in, 0}));
  EXPECT_EQ(third->add(3, *queue, {event::in, 0}).error(), Errno::Loop);
}

TEST_F(EventQueueTest, a_queue_in_a_queue_tells_of_what_is_in_it) {
  Ref<EventQueue> inner(new EventQueue);
  ASSERT_TRUE(inner->add(3, *counter, {event::in, 5}));
  ASSERT_TRUE(queue->add(4, *inner, {event::in, 6}));
  EXPECT_TRUE(take().empty());
  post(*counter);
  EXPECT_EQ(take(), (Events{{event::in, 6}}));
  EXPECT_EQ(take(*inner, 8), (Events{{event::in, 5}}));
}

TEST_F(EventQueueTest, a_file_that_ends_leaves_the_queue) {
  PipeEnds ends = *make_pipe();
  ASSERT_TRUE(queue->add(3, *ends.reader, {event::in, 1}));
  ends.writer = {};
  EXPECT_EQ(take(), (Events{{event::hang_up, 1}}));
  ends.reader = {};
  EXPECT_TRUE(take().empty());
}

TEST_F(EventQueueTest, files_take_turns_when_few_are_asked_for) {
  Ref<EventCounter> other(new EventCounter(0, EventCounter::Reads::All));
  ASSERT_TRUE(queue->add(3, *counter, {event::in, 3}));
  ASSERT_TRUE(queue->add(4, *other, {event::in, 4}));
  post(*counter);
  post(*other);
  EXPECT_EQ(take(*queue, 1), (Events{{event::in, 3}}));
  EXPECT_EQ(take(*queue, 1), (Events{{event::in, 4}}));
  EXPECT_EQ(take(*queue, 1), (Events{{event::in, 3}}));
}

TEST_F(EventQueueTest, an_exclusive_watcher_keeps_the_wake_up_only_if_somebody_waits) {
  struct Waiter : WaitEntry {
    int calls = 0;
    Waiter() {
      woken = [](WaitEntry& self, u32) {
        ++static_cast<Waiter&>(self).calls;
        return true;
      };
    }
  };
  Ref<EventQueue> second(new EventQueue);
  ASSERT_TRUE(queue->add(3, *counter, {event::in | watch_flag::exclusive, 0}));
  ASSERT_TRUE(second->add(3, *counter, {event::in | watch_flag::exclusive, 0}));
  Waiter first_waiter, second_waiter;
  queue->wait_queue()->add(first_waiter);
  second->wait_queue()->add(second_waiter);
  post(*counter);
  EXPECT_EQ(first_waiter.calls, 1);
  EXPECT_EQ(second_waiter.calls, 0);
  queue->wait_queue()->remove(first_waiter);
  drain(*counter);
  post(*counter);
  EXPECT_EQ(second_waiter.calls, 1);
  second->wait_queue()->remove(second_waiter);
}

TEST(EventCounterTest, a_semaphore_gives_one_at_a_time) {
  EventCounter counter(3, EventCounter::Reads::One);
  u64 number = 0;
  for (int i = 0; i < 3; ++i) {
    KernelBuffer bytes(&number, sizeof number);
    ASSERT_TRUE(counter.read(bytes));
    EXPECT_EQ(number, 1u);
  }
  KernelBuffer bytes(&number, sizeof number);
  EXPECT_EQ(counter.read(bytes).error(), Errno::TryAgain);
}

TEST(EventCounterTest, what_does_not_fit_waits_with_its_bytes_where_they_were) {
  EventCounter counter(0, EventCounter::Reads::All);
  u64 number = ~u64{0} - 1;
  KernelBuffer all(&number, sizeof number);
  ASSERT_TRUE(counter.write(all));
  u64 one = 1;
  KernelBuffer more(&one, sizeof one);
  EXPECT_EQ(counter.write(more).error(), Errno::TryAgain);
  EXPECT_EQ(more.remaining(), sizeof one);
}

TEST(TimerFileTest, counts_how_often_it_ran_out) {
  TimerQueue times;
  TimerFile timer(times, 0);
  timer.set(100, 10);
  EXPECT_EQ(timer.ready(), 0u);
  times.expire(125);
  u64 number = 0;
  KernelBuffer bytes(&number, sizeof number);
  ASSERT_TRUE(timer.read(bytes));
  EXPECT_EQ(number, 3u);
  timer.set(0, 0);
  times.expire(1000);
  EXPECT_EQ(timer.ready(), 0u);
}

/// As in the kernel: whose signals these are depends on who runs.
class SignalsOfTwo final : public SignalSource {
 public:
  Signal take(u64) override { return {}; }
  [[nodiscard]] bool pending(u64) const override { return false; }
  [[nodiscard]] WaitQueue& arrived() override { return *queues[running]; }
  std::unique_ptr<WaitQueue> queues[2] = {std::make_unique<WaitQueue>(), std::make_unique<WaitQueue>()};
  int running = 0;
};

TEST_F(EventQueueTest, a_signal_file_leaves_the_queue_that_it_joined_whoever_removes_it) {
  SignalsOfTwo signals;
  Ref<SignalFile> file(new SignalFile(signals, 1));
  ASSERT_TRUE(queue->add(3, *file, {event::in, 1}));
  signals.running = 1;
  ASSERT_TRUE(queue->remove(3, *file));
  EXPECT_TRUE(signals.queues[0]->empty());
}

TEST_F(EventQueueTest, a_signal_file_is_closed_by_another_process) {
  SignalsOfTwo signals;
  Ref<SignalFile> file(new SignalFile(signals, 1));
  ASSERT_TRUE(queue->add(3, *file, {event::in, 1}));
  signals.running = 1;
  file = {};
  EXPECT_TRUE(signals.queues[0]->empty());
  EXPECT_TRUE(take().empty());
}

TEST_F(EventQueueTest, the_process_whose_signals_are_watched_ends_first) {
  SignalsOfTwo signals;
  Ref<SignalFile> file(new SignalFile(signals, 1));
  ASSERT_TRUE(queue->add(3, *file, {event::in, 1}));
  signals.queues[0] = nullptr;
  signals.running = 1;
  EXPECT_TRUE(queue->remove(3, *file));
}

struct SeesCritical : WaitEntry {
  SeesCritical() {
    woken = [](WaitEntry& self, u32) {
      ++static_cast<SeesCritical&>(self).calls;
      EXPECT_GT(Critical::depth, 0);
      return false;
    };
  }
  int calls = 0;
};

TEST_F(EventQueueTest, a_pipe_wakes_with_interrupts_off) {
  PipeEnds ends = *make_pipe();
  SeesCritical entry;
  WaitQueue& waiting = *ends.reader->wait_queue();
  waiting.add(entry);
  char byte = 'x';
  KernelBuffer out(&byte, 1);
  ASSERT_TRUE(ends.writer->write(out));
  KernelBuffer in(&byte, 1);
  ASSERT_TRUE(ends.reader->read(in));
  ends.writer = {};
  EXPECT_EQ(entry.calls, 3);
  waiting.remove(entry);
}

}  // namespace
}  // namespace pulse
