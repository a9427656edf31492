#include "observe/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "observe/names.hpp"

namespace vitrine {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr u16 pit = 1;
constexpr u16 keyboard = 2;
constexpr u16 pic0 = 3;
constexpr u16 pic1 = 4;
const TraceHeader header = {.sources = {"cpu0", "pit", "keyboard", "pic0", "pic1"}, .guest = "test"};

/// Writes a life down as records; time and instruction count are the same.
class Story {
 public:
  Story& at(u64 time) {
    time_ = time;
    return *this;
  }
  Story& add(Record record) {
    record.time = record.instructions = time_;
    records.push_back(record);
    return *this;
  }
  Story& raise(u64 id, u8 line, u16 source) {
    return add({.id = id, .kind = RecordKind::Raised, .pin = line, .source = source});
  }
  Story& latch(u64 id, u8 line, u16 source = pic0) {
    return add({.id = id, .kind = RecordKind::Latched, .pin = line, .source = source});
  }
  Story& in_service(u64 id, u16 source = pic0) {
    return add({.id = id, .kind = RecordKind::InService, .source = source});
  }
  Story& eoi(u64 id, u16 source = pic0) {
    return add({.id = id, .kind = RecordKind::EndOfInterrupt, .source = source});
  }
  Story& deliver(u64 id, u8 vector, u64 frame, DeliveryKind kind = DeliveryKind::External) {
    return add(
        {.id = id, .frame = frame, .kind = RecordKind::Delivered, .vector = vector, .detail = static_cast<u8>(kind)});
  }
  Story& leave(u64 id, u8 vector, u64 frame) {
    return add({.id = id, .address = 0x999, .frame = frame, .kind = RecordKind::Returned, .vector = vector});
  }
  [[nodiscard]] Report report(const Symboliser* symbols = nullptr) const {
    ReportBuilder builder(header);
    builder.consume(records);
    return builder.finish({.time = time_, .instructions = time_}, symbols);
  }
  std::vector<Record> records;

 private:
  u64 time_ = 0;
};

bool has_finding(const Report& report, std::string_view what) {
  return std::ranges::any_of(report.findings, [&](const ReportFinding& finding) { return finding.what == what; });
}

TEST(Histogram, small_values_are_exact) {
  Histogram histogram;
  for (u64 value = 1; value <= 100; ++value) histogram.add(value);
  EXPECT_EQ(histogram.minimum(), 1u);
  EXPECT_EQ(histogram.percentile(50), 50u);
  EXPECT_EQ(histogram.percentile(99), 99u);
  EXPECT_EQ(histogram.maximum(), 100u);
}

TEST(Histogram, quantiles_are_off_by_less_than_one_percent) {
  std::mt19937_64 random(7);
  Histogram histogram;
  std::vector<u64> values;
  for (int i = 0; i < 20'001; ++i) {
    values.push_back(random() >> (random() % 64));
    histogram.add(values.back());
  }
  std::ranges::sort(values);
  for (const u32 percent : {1u, 25u, 50u, 75u, 99u}) {
    const u64 rank = (values.size() * percent + 99) / 100;
    const auto exact = static_cast<double>(values[rank - 1]);
    EXPECT_NEAR(static_cast<double>(histogram.percentile(percent)), exact, exact * 0.01) << percent;
  }
  EXPECT_EQ(histogram.minimum(), values.front());
  EXPECT_EQ(histogram.maximum(), values.back());
}

TEST(Histogram, takes_the_largest_value) {
  Histogram histogram;
  histogram.add(~u64{0});
  EXPECT_EQ(histogram.percentile(50), ~u64{0});
}

TEST(Report, follows_a_request_from_raise_to_iret) {
  Story story;
  story.at(100).raise(1, 0, pit).latch(1, 0);
  story.at(150).deliver(1, 0x30, 0x8000).in_service(1);
  story.at(180).eoi(1);
  story.at(200).leave(1, 0x30, 0x8000);
  const Report report = story.report();
  ASSERT_EQ(report.lines.size(), 1u);
  const LineReport& line = report.lines[0];
  EXPECT_EQ(line.source, "pit");
  EXPECT_EQ(line.line, 0);
  EXPECT_EQ(line.raised, 1u);
  EXPECT_EQ(line.delivered, 1u);
  EXPECT_EQ(line.returned, 1u);
  EXPECT_EQ(line.delay.instructions.median, 50u);
  EXPECT_EQ(line.handler.nanoseconds.maximum, 50u);
  ASSERT_EQ(line.vectors.size(), 1u);
  EXPECT_EQ(line.vectors[0].vector, 0x30);
  EXPECT_TRUE(report.findings.empty());
}

TEST(Report, nested_handlers_are_told_apart_by_id_and_frame) {
  Story story;
  story.at(10).raise(1, 0, pit).latch(1, 0).deliver(1, 0x30, 0x8000);
  story.at(20).raise(2, 1, keyboard).latch(2, 1).deliver(2, 0x31, 0x7F00);
  story.at(30).leave(2, 0x31, 0x7F00);
  story.at(90).leave(1, 0x30, 0x8000);
  const Report report = story.report();
  ASSERT_EQ(report.lines.size(), 2u);
  EXPECT_EQ(report.lines[0].handler.instructions.maximum, 80u);
  EXPECT_EQ(report.lines[1].handler.instructions.maximum, 10u);
}

TEST(Report, a_merged_request_is_not_pending) {
  Story story;
  story.at(10).raise(1, 0, pit).latch(1, 0);
  story.at(20).raise(2, 0, pit).add({.id = 2, .other = 1, .kind = RecordKind::Merged, .source = pic0});
  story.at(30).deliver(1, 0x30, 0x8000);
  story.at(40).leave(1, 0x30, 0x8000);
  const Report report = story.report();
  EXPECT_EQ(report.lines[0].raised, 2u);
  EXPECT_EQ(report.lines[0].merged, 1u);
  EXPECT_EQ(report.lines[0].delivered, 1u);
  EXPECT_FALSE(report.lines[0].pending.has_value());
}

struct OneName final : Symboliser {
  std::string describe(u64 address) const override { return address == 0x1234 ? "mask_pic+0x4" : ""; }
};

TEST(Report, says_why_a_request_waits_and_who_made_it_wait) {
  Story story;
  story.at(10).raise(1, 1, keyboard).latch(1, 1);
  story.add({.id = 1,
             .address = 0x1234,
             .since = 5,
             .kind = RecordKind::Blocked,
             .pin = 1,
             .detail = static_cast<u8>(Obstacle::Masked),
             .source = pic0});
  story.at(1000);
  const OneName symbols;
  const Report report = story.report(&symbols);
  ASSERT_TRUE(report.lines[0].pending.has_value());
  EXPECT_EQ(report.lines[0].pending->obstacle, Obstacle::Masked);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_THAT(report.findings[0].sentence, HasSubstr("IRQ 1 (keyboard)"));
  EXPECT_THAT(report.findings[0].sentence, HasSubstr("its mask bit is set"));
  EXPECT_THAT(report.findings[0].sentence, HasSubstr("0x1234 mask_pic+0x4"));
}

TEST(Report, names_the_interrupt_whose_eoi_is_missing) {
  Story story;
  story.at(10).raise(1, 0, pit).latch(1, 0).in_service(1).deliver(1, 0x30, 0x8000);
  story.at(20).leave(1, 0x30, 0x8000);
  story.at(30).raise(2, 1, keyboard).latch(2, 1);
  story.add({.id = 2,
             .other = 1,
             .since = 10,
             .kind = RecordKind::Blocked,
             .detail = static_cast<u8>(Obstacle::InServiceHigher),
             .source = pic0});
  const Report report = story.report();
  ASSERT_TRUE(report.lines[1].pending.has_value());
  EXPECT_EQ(report.lines[1].pending->in_service, "IRQ 0 (pit)");
  EXPECT_TRUE(has_finding(report, "no-eoi"));
}

TEST(Report, a_line_that_was_never_delivered_is_told_with_the_last_obstacle) {
  Story story;
  story.at(10).raise(1, 0, pit).latch(1, 0);
  story.add({.id = 1, .kind = RecordKind::Blocked, .detail = static_cast<u8>(Obstacle::InterruptFlag), .source = 0});
  story.at(20).add({.id = 1, .kind = RecordKind::Withdrawn, .source = pic0});
  const Report report = story.report();
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].what, "never-delivered");
  EXPECT_THAT(report.findings[0].sentence, HasSubstr("interrupts are off (IF=0)"));
}

TEST(Report, counts_withdrawn_requests_and_the_spurious_interrupt_that_follows) {
  Story story;
  story.at(10).raise(1, 5, pit).latch(1, 5);
  story.at(20).add({.id = 1, .kind = RecordKind::Withdrawn, .pin = 5, .source = pic0});
  story.at(21).add({.kind = RecordKind::Spurious, .vector = 0x37, .pin = 7, .source = pic0});
  story.at(22).deliver(9, 0x37, 0x8000);
  story.at(30).leave(9, 0x37, 0x8000);
  const Report report = story.report();
  ASSERT_EQ(report.lines.size(), 2u);
  EXPECT_EQ(report.lines[0].withdrawn, 1u);
  EXPECT_EQ(report.lines[1].source, "pic0");
  EXPECT_EQ(report.lines[1].spurious, 1u);
  EXPECT_EQ(report.lines[1].delivered, 0u);
  EXPECT_TRUE(has_finding(report, "spurious"));
}

TEST(Report, the_primary_losing_the_cascade_does_not_end_a_request_of_the_secondary) {
  Story story;
  story.at(10).raise(1, 8, pit).latch(1, 8, pic1).latch(1, 2, pic0);
  story.at(20).add({.id = 1, .kind = RecordKind::Withdrawn, .pin = 2, .source = pic0});
  story.at(30).latch(1, 2, pic0).deliver(1, 0x38, 0x8000);
  const Report report = story.report();
  EXPECT_EQ(report.lines[0].withdrawn, 0u);
  EXPECT_EQ(report.lines[0].delivered, 1u);
}

TEST(Report, a_level_line_that_stays_high_is_delivered_again) {
  Story story;
  story.at(10).raise(1, 11, pit).latch(1, 11).deliver(1, 0x3B, 0x8000);
  story.at(20).eoi(1).latch(1, 11);
  story.at(30).leave(1, 0x3B, 0x8000);
  story.at(31).deliver(1, 0x3B, 0x8000);
  story.at(40).leave(1, 0x3B, 0x8000);
  const Report report = story.report();
  EXPECT_EQ(report.lines[0].raised, 1u);
  EXPECT_EQ(report.lines[0].delivered, 2u);
  EXPECT_EQ(report.lines[0].returned, 2u);
  EXPECT_EQ(report.lines[0].delay.instructions.maximum, 11u);
}

TEST(Report, a_pulse_that_no_controller_saw_is_lost) {
  Story story;
  story.at(10).raise(1, 3, pit).at(20).add({.id = 1, .kind = RecordKind::Lowered, .pin = 3, .source = pit});
  EXPECT_EQ(story.report().lines[0].lost, 1u);
}

TEST(Report, exceptions_and_software_interrupts_have_tables_of_their_own) {
  Story story;
  story.at(10).add({.id = 1, .kind = RecordKind::Exception, .vector = 14}).deliver(1, 14, 0x8000, DeliveryKind::Fault);
  story.at(30).leave(1, 14, 0x8000);
  story.at(40).deliver(2, 0x80, 0x8000, DeliveryKind::Software).at(45).leave(2, 0x80, 0x8000);
  const Report report = story.report();
  EXPECT_TRUE(report.lines.empty());
  ASSERT_EQ(report.exceptions.size(), 1u);
  EXPECT_EQ(report.exceptions[0].raised, 1u);
  EXPECT_EQ(report.exceptions[0].handler.nanoseconds.maximum, 20u);
  ASSERT_EQ(report.software.size(), 1u);
  EXPECT_EQ(report.software[0].vector, 0x80);
  EXPECT_EQ(report.software[0].handler.instructions.maximum, 5u);
}

TEST(Report, halted_time_counts_up_to_the_end_of_the_run) {
  Story story;
  story.at(100).add({.kind = RecordKind::Halted, .detail = 1});
  story.at(150).add({.since = 100, .kind = RecordKind::Woken});
  story.at(200).add({.kind = RecordKind::Halted, .detail = 1});
  story.at(230);
  EXPECT_EQ(story.report().halted_nanoseconds, 80u);
  EXPECT_EQ(story.report().halts, 2u);
}

TEST(Report, the_stretch_from_power_on_does_not_hide_the_longest_one) {
  Story story;
  story.at(5000).add({.other = 0x10, .kind = RecordKind::InterruptsOff});
  story.at(6000).add({.address = 0x20, .other = 0x30, .since = 5900, .kind = RecordKind::InterruptsOff});
  const Report report = story.report();
  ASSERT_TRUE(report.off_from_start.has_value());
  EXPECT_EQ(report.off_from_start->nanoseconds, 5000u);
  ASSERT_TRUE(report.interrupts_off.has_value());
  EXPECT_EQ(report.interrupts_off->nanoseconds, 100u);
  EXPECT_EQ(report.interrupts_off->cleared_by, 0x20u);
}

TEST(Report, a_shorter_stretch_with_interrupts_off_does_not_replace_a_longer_one) {
  Story story;
  story.at(5000).add({.address = 0x20, .other = 0x30, .since = 2000, .kind = RecordKind::InterruptsOff});
  story.at(9000).add({.address = 0x40, .other = 0x50, .since = 7500, .kind = RecordKind::InterruptsOff});
  const Report report = story.report();
  ASSERT_TRUE(report.interrupts_off.has_value());
  EXPECT_EQ(report.interrupts_off->nanoseconds, 3000u);
  EXPECT_EQ(report.interrupts_off->cleared_by, 0x20u);
}

TEST(Report, text_has_no_column_of_zeroes_and_json_has_the_same_numbers) {
  Story story;
  for (u64 i = 0; i < 1200; ++i) {
    story.at(1000 * i).raise(i + 1, 0, pit).latch(i + 1, 0).at(1000 * i + 40).deliver(i + 1, 0x30, 0x8000);
    story.at(1000 * i + 90).leave(i + 1, 0x30, 0x8000);
  }
  const Report report = story.report();
  const std::string text = report_text(report, nullptr);
  EXPECT_THAT(text, HasSubstr("1,200"));
  EXPECT_THAT(text, Not(HasSubstr("spurious")));
  EXPECT_THAT(text, Not(HasSubstr("merged")));
  const auto json = nlohmann::json::parse(report_json(report, nullptr));
  EXPECT_EQ(json["lines"][0]["delivered"], 1200);
  EXPECT_EQ(json["lines"][0]["raise_to_handler"]["instructions"]["median"], 40);
  EXPECT_EQ(json["lines"][0]["handler"]["nanoseconds"]["p99"], 50);
}

TEST(Report, handlers_that_never_return_do_not_take_memory_or_time_without_bound) {
  Story story;
  for (u64 i = 0; i < 5000; ++i) story.at(i).deliver(i + 1, 0x80, 0x8000 + 8 * i, DeliveryKind::Software);
  EXPECT_EQ(story.report().software[0].count, 5000u);
}

TEST(Names, times_have_four_digits) {
  EXPECT_EQ(duration_text(999), "999 ns");
  EXPECT_EQ(duration_text(1'234), "1.234 us");
  EXPECT_EQ(duration_text(12'345'678), "12.34 ms");
  EXPECT_EQ(duration_text(123'456'789'012), "123.4 s");
  EXPECT_EQ(count_text(1'234'567), "1,234,567");
  EXPECT_EQ(count_text(999), "999");
}

}  // namespace
}  // namespace vitrine
