#include "observe/check/rules/timer_rate.hpp"

#include "observe/check/rules/pic_bench.hpp"

namespace vitrine {
namespace {

using namespace bench;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Bench = PicBench<TimerRate>;

constexpr u64 second = 1000 * ms;

void ticks(Bench& bench, u64 count, u64 period, u64 in_handler) {
  for (u64 i = 1; i <= count; ++i) {
    bench.at(i * period).raise(i, 0, pit).take(i, 0).at(i * period + in_handler).leave(i, 0x20);
  }
}
void program(Bench& bench, u64 count) {
  bench.add({.address = 0x600, .extra = 0x34, .kind = RecordKind::DeviceProgrammed, .detail = 1, .source = pit});
  bench.add({.address = 0x601, .extra = count, .kind = RecordKind::DeviceProgrammed, .detail = 2, .source = pit});
}

TEST(TimerRate, more_than_twenty_thousand_in_a_second_is_a_warning_that_names_the_count) {
  Bench bench;
  program(bench, 40);
  ticks(bench, 21'000, 33'500, 100);
  ASSERT_THAT(bench.found(), ElementsAre("warning timer-rate"));
  EXPECT_THAT(bench.findings[0].sentence, HasSubstr("IRQ 0 (timer) interrupts too often: 20,001 times in"));
  EXPECT_THAT(bench.findings[0].evidence, Contains(HasSubstr("count 40, which @{0x601} programmed, makes 29,830 Hz")));
}

TEST(TimerRate, a_thousand_in_a_second_are_fine) {
  Bench bench;
  program(bench, 1193);
  ticks(bench, 3000, ms, 1000);
  bench.finish(3 * second);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(TimerRate, a_handler_that_takes_most_of_the_cpu_is_a_warning) {
  Bench bench;
  ticks(bench, 200, ms, 600'000);
  ASSERT_THAT(bench.found(), ElementsAre("warning timer-rate"));
  EXPECT_THAT(bench.findings[0].sentence, HasSubstr("takes more than half of the CPU"));
}

TEST(TimerRate, a_single_long_handler_is_not_a_rate) {
  Bench bench;
  ticks(bench, 1, ms, 80 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(TimerRate, what_other_threads_do_before_the_return_is_not_the_handlers) {
  Bench bench;
  for (u64 i = 1; i <= 300; ++i) {
    bench.at(i * ms).raise(i, 0, pit).take(i, 0);
    bench.add({.other = i % 2, .kind = RecordKind::ThreadRuns, .source = cpu0});
    bench.at(i * ms + 900'000).leave(i, 0x20);
  }
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(TimerRate, a_tiny_count_that_nothing_came_of_is_a_note) {
  Bench bench;
  program(bench, 40);
  bench.finish(second / 2);
  EXPECT_THAT(bench.found(), ElementsAre("note timer-rate"));
}

}  // namespace
}  // namespace vitrine
