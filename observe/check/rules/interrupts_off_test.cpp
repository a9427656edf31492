#include "observe/check/rules/interrupts_off.hpp"

#include "observe/check/rules/pic_bench.hpp"

namespace vitrine {
namespace {

using namespace bench;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Bench = PicBench<InterruptsOffTooLong>;

constexpr u64 cli = 0x600, sti = 0x601;

/// IF is clear since `since`, and a tick comes.
Bench& tick_waits(Bench& bench, u64 since, u64 cleared_by = cli) {
  bench.raise(1, 0, pit);
  return bench.add({.id = 1,
                    .address = cleared_by,
                    .since = since,
                    .kind = RecordKind::Blocked,
                    .detail = static_cast<u8>(Obstacle::InterruptFlag),
                    .source = cpu0});
}
Bench& set_again(Bench& bench, u64 since, u64 time) {
  return bench.at(time - 1).add(
      {.address = cli, .other = sti, .since = since, .kind = RecordKind::InterruptsOff, .source = cpu0});
}

TEST(InterruptsOffTooLong, a_tick_that_waits_two_milliseconds_is_a_warning) {
  Bench bench;
  tick_waits(bench.at(5 * ms), 4 * ms);
  set_again(bench, 4 * ms, 7 * ms);
  ASSERT_THAT(bench.found(), ElementsAre("warning interrupts-off-too-long"));
  EXPECT_THAT(bench.findings[0].sentence,
              HasSubstr("@{0x600} cleared IF at 0.004000 s, and IRQ 0 (timer) waited 1.999 ms"));
  EXPECT_THAT(bench.findings[0].evidence, Contains(HasSubstr("@{0x601} set IF again")));
}

TEST(InterruptsOffTooLong, a_tenth_of_a_second_is_an_error) {
  Bench bench;
  tick_waits(bench.at(5 * ms), 4 * ms);
  set_again(bench, 4 * ms, 200 * ms);
  EXPECT_THAT(bench.found(), ElementsAre("error interrupts-off-too-long"));
}

TEST(InterruptsOffTooLong, a_run_that_ends_in_the_middle_of_it_counts) {
  Bench bench;
  tick_waits(bench.at(5 * ms), 4 * ms).finish(900 * ms, "time");
  EXPECT_THAT(bench.found(), ElementsAre("error interrupts-off-too-long"));
}

TEST(InterruptsOffTooLong, a_guest_that_ends_itself_is_not_late) {
  Bench bench;
  tick_waits(bench.at(5 * ms), 4 * ms).finish(900 * ms, "power-off");
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(InterruptsOffTooLong, nothing_waits_then_it_is_none) {
  Bench bench;
  set_again(bench, 4 * ms, 700 * ms).raise(1, 0, pit).take(1, 0);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(InterruptsOffTooLong, before_the_first_sti_it_is_none) {
  Bench bench;
  tick_waits(bench.at(5 * ms), 0, 0);
  set_again(bench, 0, 700 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(InterruptsOffTooLong, a_panic_that_halts_is_none) {
  Bench bench;
  tick_waits(bench.at(5 * ms), 4 * ms);
  bench.at(300 * ms).add({.kind = RecordKind::Halted, .detail = 0, .source = cpu0}).finish(900 * ms, "time");
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(InterruptsOffTooLong, calibrating_the_timer_only_ever_warns) {
  Bench bench;
  tick_waits(bench.at(5 * ms), 4 * ms);
  bench.add({.extra = 1000, .kind = RecordKind::DeviceProgrammed, .detail = 2, .source = pit});
  set_again(bench, 4 * ms, 200 * ms);
  EXPECT_THAT(bench.found(), ElementsAre("warning interrupts-off-too-long"));
}

TEST(InterruptsOffTooLong, a_request_that_is_polled_away_has_not_waited_longer) {
  Bench bench;
  tick_waits(bench.at(5 * ms), 4 * ms);
  bench.add({.id = 1, .kind = RecordKind::Acknowledged, .pin = 0, .detail = 1, .source = pic0});
  set_again(bench, 4 * ms, 200 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(InterruptsOffTooLong, another_thread_that_inherits_it_is_told) {
  Bench bench;
  tick_waits(bench.at(5 * ms), 4 * ms);
  bench.add({.address = 0x777, .other = 2, .kind = RecordKind::ThreadRuns, .source = cpu0});
  set_again(bench, 4 * ms, 7 * ms);
  ASSERT_THAT(bench.found(), ElementsAre("warning interrupts-off-too-long"));
  EXPECT_THAT(bench.findings[0].evidence, Contains(HasSubstr("@{0x777}")));
}

}  // namespace
}  // namespace vitrine
