#include "machine/devices/mc146818/mc146818.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <utility>
#include <vector>

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

using testing::ElementsAre;
using Cause = Mc146818::Cause;

constexpr u64 new_year_2026 = 1'767'225'600;  // 2026-01-01 00:00:00 UTC, a Thursday
constexpr u64 ms = 1'000'000, s = 1'000 * ms;

DeviceUnderTest rtc() {
  return {.make = [](TestBench& bench) -> Device& {
            return bench.add<Mc146818>("rtc", bench.output("irq8", 8), bench.output("nmi_mask", 1),
                                       Mc146818::Contents{.unix_seconds = new_year_2026});
          },
          .regions = {{Region(0), Mc146818::port_count}},
          .reset_keeps_some_state = true};  // the battery
}
VITRINE_COMMON_DEVICE_SUITE(Mc146818, rtc());

class Rtc : public testing::Test {
 protected:
  explicit Rtc(const Mc146818::Contents& contents = {.unix_seconds = new_year_2026})
      : chip(bench.add<Mc146818>("rtc", bench.output("irq8", 8), bench.output("nmi_mask", InterruptLine::no_number),
                                 contents)) {}
  u8 get(u8 index) {
    chip.write(Region(0), 0, AccessSize(1), index);
    return static_cast<u8>(chip.read(Region(0), 1, AccessSize(1)));
  }
  void set(u8 index, u8 value) {
    chip.write(Region(0), 0, AccessSize(1), index);
    chip.write(Region(0), 1, AccessSize(1), value);
  }
  /// Seconds, minutes, hours, day of week, day, month, year, century.
  std::vector<int> time() {
    std::vector<int> result;
    for (int index : {0, 2, 4, 6, 7, 8, 9, 0x32}) result.push_back(get(static_cast<u8>(index)));
    return result;
  }
  void set_time(const std::vector<u8>& values) {
    static constexpr u8 indexes[] = {0, 2, 4, 6, 7, 8, 9, 0x32};
    const u8 b = get(0x0B);
    set(0x0B, b | 0x80);
    auto value = values.begin();
    for (u8 index : indexes) set(index, *value++);
    set(0x0B, b);
  }
  Level irq() { return bench.lines[0].level(); }
  std::vector<Cause> causes() {
    std::vector<Cause> result;
    for (const Record& record : bench.records(RecordKind::Raised)) result.push_back(static_cast<Cause>(record.detail));
    return result;
  }

  TestBench bench;
  Mc146818& chip;
};

TEST_F(Rtc, starts_at_the_given_time) { EXPECT_THAT(time(), ElementsAre(0x00, 0x00, 0x00, 5, 0x01, 0x01, 0x26, 0x20)); }

TEST_F(Rtc, seconds_change_exactly_with_virtual_time) {
  bench.advance_to(Tick(s - 1));
  EXPECT_EQ(get(0), 0x00);
  bench.advance_to(Tick(s));
  EXPECT_EQ(get(0), 0x01);
  bench.advance_to(Tick(3'661 * s));
  EXPECT_THAT(time(), ElementsAre(0x01, 0x01, 0x01, 5, 0x01, 0x01, 0x26, 0x20));
}

TEST_F(Rtc, a_long_pause_is_the_same_as_many_short_ones) {
  bench.advance_to(Tick(100 * 86'400 * s + 12'345 * s));
  EXPECT_THAT(time(), ElementsAre(0x45, 0x25, 0x03, 7, 0x11, 0x04, 0x26, 0x20));
}

// UIP (DS "Update cycle", 32768 Hz: tBUC 244 us, tUC 1984 us).
struct UipRow {
  u64 time;
  bool set;
};
class UpdateInProgress : public Rtc, public testing::WithParamInterface<UipRow> {};
TEST_P(UpdateInProgress, is_set_from_244_us_before_the_update_cycle_until_its_end) {
  bench.advance_to(Tick(GetParam().time));
  EXPECT_EQ((get(0x0A) & 0x80) != 0, GetParam().set) << GetParam().time;
}
INSTANTIATE_TEST_SUITE_P(DataSheet, UpdateInProgress,
                         testing::Values(UipRow{0, false}, UipRow{s - 2'230'000, false}, UipRow{s - 2'227'000, true},
                                         UipRow{s - 1, true}, UipRow{s, false}, UipRow{s + 500 * ms, false},
                                         UipRow{2 * s - 1'000'000, true}));

TEST_F(Rtc, set_stops_updates_and_uip) {
  set(0x0B, 0x82);
  bench.advance_to(Tick(s - 1000));
  EXPECT_EQ(get(0x0A) & 0x80, 0);
  bench.advance_to(Tick(5 * s));
  EXPECT_EQ(get(0), 0x00);
  set(0x0B, 0x02);
  bench.advance_to(Tick(6 * s));
  EXPECT_EQ(get(0), 0x01);
}

TEST_F(Rtc, set_clears_the_update_ended_enable) {  // DS register B
  set(0x0B, 0x12);
  set(0x0B, 0x92);
  EXPECT_EQ(get(0x0B), 0x82);
}

TEST_F(Rtc, the_first_update_comes_half_a_second_after_the_divider_reset) {  // DS "Divider control"
  bench.advance_to(Tick(300 * ms));
  set(0x0A, 0x76);
  bench.advance_to(Tick(5 * s));
  EXPECT_EQ(get(0), 0x00);
  set(0x0A, 0x26);
  bench.advance(500 * ms + 1'983'000);
  EXPECT_EQ(get(0), 0x00);
  bench.advance(2'000);
  EXPECT_EQ(get(0), 0x01);
  bench.advance(s);
  EXPECT_EQ(get(0), 0x02);
}

struct RateRow {
  u8 rate;
  u64 period;  // an eighth of a nanosecond
};
class PeriodicRate : public Rtc, public testing::WithParamInterface<RateRow> {};
TEST_P(PeriodicRate, interrupts_at_the_rate_of_the_table) {  // DS table 5, 32768 Hz
  set(0x0A, static_cast<u8>(0x20 | GetParam().rate));
  set(0x0B, 0x42);
  u64 seen = 0;
  const u64 expected = 8 * s / GetParam().period;
  for (u64 step = 1; step <= expected * 4; ++step) {
    bench.advance_to(Tick(step * GetParam().period / 32));
    if (irq() == Level::High) {
      EXPECT_EQ(get(0x0C) & 0xE0, 0xC0);
      EXPECT_EQ(irq(), Level::Low);
      ++seen;
    }
  }
  EXPECT_NEAR(static_cast<double>(seen), static_cast<double>(expected), 1.0);
}
INSTANTIATE_TEST_SUITE_P(DataSheet_table_5, PeriodicRate,
                         testing::Values(RateRow{1, 31'250'000}, RateRow{2, 62'500'000}, RateRow{3, 976'562},
                                         RateRow{4, 1'953'125}, RateRow{5, 3'906'250}, RateRow{6, 7'812'500},
                                         RateRow{7, 15'625'000}, RateRow{8, 31'250'000}, RateRow{9, 62'500'000},
                                         RateRow{10, 125'000'000}, RateRow{11, 250'000'000}, RateRow{12, 500'000'000},
                                         RateRow{13, 1'000'000'000}, RateRow{14, 2'000'000'000},
                                         RateRow{15, 4'000'000'000}));

TEST_F(Rtc, without_a_read_of_c_the_line_stays_high_and_no_event_waits) {
  set(0x0B, 0x42);
  bench.advance_to(Tick(10 * s));
  EXPECT_EQ(irq(), Level::High);
  EXPECT_EQ(bench.events.next_due(), never);
  EXPECT_EQ(get(0x0C), 0xD0);  // update ended too, in the meantime
  EXPECT_EQ(irq(), Level::Low);
  EXPECT_NE(bench.events.next_due(), never);
  EXPECT_THAT(causes(), ElementsAre(Cause::Periodic));
}

TEST_F(Rtc, flags_are_set_whether_enabled_or_not_and_c_clears_them) {
  bench.advance_to(Tick(2 * s));
  EXPECT_EQ(get(0x0C), 0x50);
  EXPECT_EQ(get(0x0C), 0x00);
  EXPECT_EQ(bench.events.next_due(), never);
}

TEST_F(Rtc, a_flag_that_is_set_already_interrupts_when_it_is_enabled) {
  bench.advance_to(Tick(2 * s));
  set(0x0B, 0x12);
  EXPECT_EQ(irq(), Level::High);
  EXPECT_THAT(causes(), ElementsAre(Cause::UpdateEnded));
}

TEST_F(Rtc, update_ended_interrupts_at_the_full_second) {
  get(0x0C);
  set(0x0B, 0x12);
  bench.advance_to(Tick(s - 1));
  EXPECT_EQ(irq(), Level::Low);
  bench.advance_to(Tick(s));
  EXPECT_EQ(irq(), Level::High);
  EXPECT_EQ(get(0x0C) & 0xB0, 0x90);
}

// Alarm (DS "Alarm bytes"): bytes with both high bits set match always.
struct AlarmRow {
  const char* name;
  u8 control_b, seconds, minutes, hours;
  u64 after;  // seconds from midnight; 0: never within a day
  friend void PrintTo(const AlarmRow& row, std::ostream* out) { *out << row.name; }
};
class AlarmTime : public Rtc, public testing::WithParamInterface<AlarmRow> {};
TEST_P(AlarmTime, interrupts_when_all_bytes_match) {
  const AlarmRow& row = GetParam();
  set(0x0B, row.control_b | 0x80);
  set(4, (row.control_b & 2) != 0 ? 0 : (row.control_b & 4) != 0 ? 12 : 0x12);
  set(1, row.seconds);
  set(3, row.minutes);
  set(5, row.hours);
  set(0x0B, row.control_b | 0x20);
  if (row.after == 0) {
    bench.advance_to(Tick(86'400 * s));
    EXPECT_EQ(irq(), Level::Low);
    return;
  }
  bench.advance_to(Tick(row.after * s - 1));
  EXPECT_EQ(irq(), Level::Low);
  bench.advance_to(Tick(row.after * s));
  EXPECT_EQ(irq(), Level::High);
  EXPECT_EQ(get(0x0C) & 0xA0, 0xA0);
}
INSTANTIATE_TEST_SUITE_P(DataSheet, AlarmTime,
                         testing::Values(AlarmRow{"every_second", 0x02, 0xC0, 0xFF, 0xC5, 1},
                                         AlarmRow{"at_second_30", 0x02, 0x30, 0xFF, 0xFF, 30},
                                         AlarmRow{"at_minute_1", 0x02, 0x00, 0x01, 0xFF, 60},
                                         AlarmRow{"at_13_00", 0x02, 0, 0, 0x13, 46'800},
                                         AlarmRow{"binary_at_13_00_59", 0x06, 59, 0, 13, 46'859},
                                         AlarmRow{"12_hours_at_1_pm", 0x00, 0, 0, 0x81, 46'800},
                                         AlarmRow{"12_hours_binary_at_12_pm", 0x04, 0, 0, 0x8C, 43'200},
                                         AlarmRow{"out_of_range", 0x02, 0x60, 0xFF, 0xFF, 0}));

// Calendar: one second later.
struct CalendarRow {
  const char* name;
  u8 control_b;
  std::vector<u8> before;
  std::vector<int> after;
  friend void PrintTo(const CalendarRow& row, std::ostream* out) { *out << row.name; }
};
class Calendar : public Rtc, public testing::WithParamInterface<CalendarRow> {};
TEST_P(Calendar, carries) {
  set(0x0B, GetParam().control_b);
  set_time(GetParam().before);
  bench.advance(s);
  EXPECT_EQ(time(), GetParam().after);
}
INSTANTIATE_TEST_SUITE_P(
    DataSheet, Calendar,
    testing::Values(
        CalendarRow{"bcd_second", 2, {0x09, 0, 0, 1, 1, 1, 0x26, 0x20}, {0x10, 0, 0, 1, 1, 1, 0x26, 0x20}},
        CalendarRow{"binary_second", 6, {9, 0, 0, 1, 1, 1, 26, 20}, {10, 0, 0, 1, 1, 1, 26, 20}},
        CalendarRow{"day", 2, {0x59, 0x59, 0x23, 7, 0x30, 4, 0x26, 0x20}, {0, 0, 0, 1, 1, 5, 0x26, 0x20}},
        CalendarRow{"noon_12_hours", 0, {0x59, 0x59, 0x11, 1, 1, 1, 0x26, 0x20}, {0, 0, 0x92, 1, 1, 1, 0x26, 0x20}},
        CalendarRow{"one_pm_12_hours", 0, {0x59, 0x59, 0x92, 1, 1, 1, 0x26, 0x20}, {0, 0, 0x81, 1, 1, 1, 0x26, 0x20}},
        CalendarRow{"midnight_12_hours", 0, {0x59, 0x59, 0x91, 1, 1, 1, 0x26, 0x20}, {0, 0, 0x12, 2, 2, 1, 0x26, 0x20}},
        CalendarRow{"midnight_12_hours_binary", 4, {59, 59, 0x8B, 1, 1, 1, 26, 20}, {0, 0, 12, 2, 2, 1, 26, 20}},
        CalendarRow{"february", 2, {0x59, 0x59, 0x23, 1, 0x28, 2, 0x26, 0x20}, {0, 0, 0, 2, 1, 3, 0x26, 0x20}},
        CalendarRow{"leap_february", 2, {0x59, 0x59, 0x23, 1, 0x28, 2, 0x28, 0x20}, {0, 0, 0, 2, 0x29, 2, 0x28, 0x20}},
        CalendarRow{"leap_day", 2, {0x59, 0x59, 0x23, 1, 0x29, 2, 0x28, 0x20}, {0, 0, 0, 2, 1, 3, 0x28, 0x20}},
        CalendarRow{"year", 2, {0x59, 0x59, 0x23, 1, 0x31, 0x12, 0x26, 0x20}, {0, 0, 0, 2, 1, 1, 0x27, 0x20}},
        CalendarRow{"century", 2, {0x59, 0x59, 0x23, 1, 0x31, 0x12, 0x99, 0x19}, {0, 0, 0, 2, 1, 1, 0x00, 0x20}}));

TEST_F(Rtc, register_d_says_valid_and_c_and_d_ignore_writes) {
  set(0x0D, 0x00);
  set(0x0C, 0xFF);
  EXPECT_EQ(get(0x0D), 0x80);
  EXPECT_EQ(get(0x0C), 0x00);
}

TEST_F(Rtc, bit_seven_of_the_address_port_masks_nmi) {
  chip.write(Region(0), 0, AccessSize(1), 0x8F);
  EXPECT_TRUE(chip.nmi_masked());
  EXPECT_EQ(bench.lines[1].level(), Level::High);
  chip.write(Region(0), 1, AccessSize(1), 0x0A);
  EXPECT_EQ(get(0x0F), 0x0A);  // shutdown byte
  EXPECT_FALSE(chip.nmi_masked());
  EXPECT_EQ(bench.lines[1].level(), Level::Low);
}

TEST_F(Rtc, reset_keeps_time_and_memory_and_clears_enables_and_flags) {  // DS pin RESET
  set(0x0F, 0x05);
  set(0x0B, 0x7A);
  bench.advance_to(Tick(2 * s));
  chip.reset();
  EXPECT_EQ(irq(), Level::Low);
  EXPECT_EQ(get(0x0B), 0x02);
  EXPECT_EQ(get(0x0C), 0x00);
  EXPECT_EQ(get(0x0F), 0x05);
  EXPECT_EQ(get(0x00), 0x02);
  EXPECT_EQ(bench.events.next_due(), never);
}

TEST_F(Rtc, a_word_write_sets_the_address_and_the_byte) {
  chip.write(Region(0), 0, AccessSize(2), 0x5A40);
  EXPECT_EQ(get(0x40), 0x5A);
}

struct MemoryRow {
  const char* name;
  u64 below, above;
  std::vector<std::pair<u8, u8>> bytes;
  friend void PrintTo(const MemoryRow& row, std::ostream* out) { *out << row.name; }
};
class MemorySizes : public testing::TestWithParam<MemoryRow> {};
TEST_P(MemorySizes, are_where_firmware_looks) {
  const MemoryRow& row = GetParam();
  TestBench bench;
  auto& chip = bench.add<Mc146818>(
      "rtc", LineDriver{}, LineDriver{},
      Mc146818::Contents{.memory_below_4g = row.below, .memory_above_4g = row.above, .equipment = 0x2D});
  const auto get = [&](u8 index) {
    chip.write(Region(0), 0, AccessSize(1), index);
    return static_cast<u8>(chip.read(Region(0), 1, AccessSize(1)));
  };
  for (const auto& [index, value] : row.bytes) EXPECT_EQ(get(index), value) << int{index};
  unsigned sum = 0;
  for (u8 index = 0x10; index <= 0x2D; ++index) sum += get(index);
  EXPECT_EQ(get(0x2E), sum >> 8 & 0xFF);
  EXPECT_EQ(get(0x2F), sum & 0xFF);
  EXPECT_EQ(get(0x14), 0x2D);
  EXPECT_EQ(get(0x10), 0x00);
}
constexpr u64 mib = 1 << 20;
INSTANTIATE_TEST_SUITE_P(
    Cmos, MemorySizes,
    testing::Values(
        MemoryRow{"512K", 512 << 10, 0, {{0x15, 0x00}, {0x16, 0x02}, {0x17, 0}, {0x18, 0}, {0x34, 0}, {0x35, 0}}},
        MemoryRow{
            "8M", 8 * mib, 0, {{0x15, 0x80}, {0x16, 0x02}, {0x17, 0x00}, {0x18, 0x1C}, {0x30, 0x00}, {0x31, 0x1C}}},
        MemoryRow{"256M", 256 * mib, 0, {{0x17, 0xFF}, {0x18, 0xFF}, {0x30, 0xFF}, {0x34, 0x00}, {0x35, 0x0F}}},
        MemoryRow{
            "8G", 3072 * mib, 5120 * mib, {{0x34, 0x00}, {0x35, 0xBF}, {0x5B, 0x00}, {0x5C, 0x40}, {0x5D, 0x01}}}));

TEST_F(Rtc, the_check_of_linux_finds_a_working_clock) {  // mc146818_does_rtc_work, rtc_cmos
  EXPECT_EQ(get(0x0D) & 0x7F, 0);
  EXPECT_EQ(get(0x0A) & 0x80, 0);
  EXPECT_EQ(get(0x0B) & 0x06, 0x02);
}

}  // namespace
}  // namespace vitrine
