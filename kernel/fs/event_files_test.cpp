#include "kernel/fs/event_files.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "kernel/memory/kernel_buffer.hpp"

namespace pulse {
namespace {

u64 drain(TimerFile& timer) {
  u64 number = 0;
  KernelBuffer bytes(&number, sizeof number);
  return timer.read(bytes) ? number : 0;
}

TEST(TimerFile, periods_that_passed_are_counted_at_once) {
  TimerQueue timers;
  Ref<TimerFile> timer(new TimerFile(timers, 0));
  timer->set(10, 3);
  int calls = 0;
  struct Counts : WaitEntry {
    int* calls = nullptr;
  } entry;
  entry.calls = &calls;
  entry.woken = [](WaitEntry& self, u32) {
    ++*static_cast<Counts&>(self).calls;
    return false;
  };
  timer->wait_queue()->add(entry);
  timers.expire(30);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(drain(*timer), 7u);  // 10, 13 ... 28
  EXPECT_EQ(timer->due(), 31u);
  timer->wait_queue()->remove(entry);
}

TEST(TimerFile, a_period_of_one_nanosecond_ends_too) {
  TimerQueue timers;
  Ref<TimerFile> timer(new TimerFile(timers, 0));
  timer->set(1, 1);
  timers.expire(u64{1} << 60);
  EXPECT_EQ(drain(*timer), u64{1} << 60);
}

/// The timer runs out while its count is copied to the program.
class Interrupted final : public IoBuffer {
 public:
  Interrupted(TimerQueue& timers, u64 now) : timers_(&timers), now_(now) {}
  [[nodiscard]] std::size_t remaining() const override { return sizeof(u64); }
  [[nodiscard]] std::size_t put_some(std::span<const u8> bytes) override {
    std::memcpy(&number, bytes.data(), sizeof number);
    timers_->expire(now_);
    return bytes.size();
  }
  [[nodiscard]] std::size_t get_some(std::span<u8> bytes) override { return bytes.size(); }
  void go_back(std::size_t) override {}
  u64 number = 0;

 private:
  TimerQueue* timers_;
  u64 now_;
};

TEST(TimerFile, expirations_during_a_read_are_told_by_the_next_one) {
  TimerQueue timers;
  Ref<TimerFile> timer(new TimerFile(timers, 0));
  timer->set(10, 10);
  timers.expire(25);
  Interrupted buffer(timers, 55);
  ASSERT_TRUE(timer->read(buffer));
  EXPECT_EQ(buffer.number, 2u);
  EXPECT_EQ(drain(*timer), 3u);
}

}  // namespace
}  // namespace pulse
