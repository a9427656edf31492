#include "observe/export/timeline.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace vitrine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Writes down what is drawn, and checks what every sink may rely on.
class Drawing final : public TimelineSink {
 public:
  void track(const Track& track) override { names_[track.id] = track.name; }
  void begin(const TimelineEvent& event) override {
    check(event.time, event.track);
    ++depth_[event.track];
    note("begin", event);
  }
  void end(u64 time, TrackId track) override {
    check(time, track);
    EXPECT_GE(--depth_[track], 0);
    lines.push_back(fmt::format("{} end {}", time, names_[track]));
  }
  void slice(const TimelineEvent& event, u64 until) override {
    EXPECT_LE(event.time, until);
    note("slice", event);
  }
  void instant(const TimelineEvent& event) override {
    check(event.time, event.track);
    note("mark", event);
  }
  void finish() override {
    for (const auto& [track, depth] : depth_) EXPECT_EQ(depth, 0) << names_[track];
  }
  std::vector<std::string> lines;

 private:
  void check(u64 time, TrackId track) {
    EXPECT_TRUE(names_.contains(track)) << track;
    EXPECT_GE(time, now_);
    now_ = time;
  }
  void note(std::string_view what, const TimelineEvent& event) {
    lines.push_back(fmt::format("{} {} {}: {}", event.time, what, names_[event.track], event.name));
  }
  std::map<TrackId, std::string> names_;
  std::map<TrackId, i64> depth_;
  u64 now_ = 0;
};

std::vector<std::string> draw(const std::vector<Record>& records, u64 end_time) {
  const TraceHeader header{.sources = {"cpu0", "pic0", "pit"}, .lines = {{0, "Timer"}}};
  TimelineSurvey survey;
  survey.consume(records);
  Drawing drawing;
  Timeline timeline(drawing, survey, header, nullptr);
  timeline.consume(records);
  timeline.finish(end_time);
  return drawing.lines;
}

Record entry(u64 time, u64 id, u64 frame) {
  return {.time = time, .id = id, .frame = frame, .kind = RecordKind::Delivered, .vector = 0x30, .detail = 1};
}
Record left(u64 time, u64 id) { return {.time = time, .id = id, .kind = RecordKind::Returned, .vector = 0x30}; }

TEST(Timeline, handlers_nest_as_they_interrupt_each_other) {
  EXPECT_THAT(draw({entry(10, 1, 0x100), entry(20, 2, 0x80), left(30, 2), left(40, 1)}, 50),
              ElementsAre("10 begin CPU 0 handlers: vector 0x30", "20 begin CPU 0 handlers: vector 0x30",
                          "30 end CPU 0 handlers", "40 end CPU 0 handlers"));
}

TEST(Timeline, a_handler_ends_when_the_one_around_it_returns_and_its_own_iret_is_a_mark) {
  EXPECT_THAT(draw({entry(10, 1, 0x100), entry(20, 2, 0x80), left(30, 1), left(40, 2)}, 50),
              ElementsAre("10 begin CPU 0 handlers: vector 0x30", "20 begin CPU 0 handlers: vector 0x30",
                          "30 end CPU 0 handlers", "30 end CPU 0 handlers",
                          "40 mark CPU 0 handlers: IRET of an earlier handler"));
}

TEST(Timeline, a_handler_whose_frame_is_overwritten_has_ended) {
  EXPECT_THAT(draw({entry(10, 1, 0x100), entry(20, 2, 0x100)}, 50),
              ElementsAre("10 begin CPU 0 handlers: vector 0x30", "20 end CPU 0 handlers",
                          "20 begin CPU 0 handlers: vector 0x30", "50 end CPU 0 handlers"));
}

TEST(Timeline, a_shared_line_is_high_until_its_last_driver_lets_go) {
  const auto edge = [](u64 time, RecordKind kind, u16 source) {
    return Record{.time = time, .id = source, .kind = kind, .pin = 0, .source = source};
  };
  const auto lines = draw({edge(1, RecordKind::Raised, 1), edge(2, RecordKind::Raised, 2),
                           edge(3, RecordKind::Lowered, 1), edge(4, RecordKind::Lowered, 2)},
                          5);
  EXPECT_THAT(lines, testing::Contains("1 begin IRQ 0 (Timer): high"));
  EXPECT_THAT(lines, testing::Contains("4 end IRQ 0 (Timer)"));
}

TEST(Timeline, a_thread_number_that_is_used_again_is_another_thread) {
  const auto say = [](u64 time, RecordKind kind, u64 name = 0) {
    return Record{.time = time, .address = name, .other = 7, .kind = kind};
  };
  EXPECT_THAT(
      draw({say(1, RecordKind::ThreadNamed, 'a'), say(2, RecordKind::ThreadRuns), say(3, RecordKind::ThreadExited),
            say(4, RecordKind::ThreadNamed, 'b'), say(5, RecordKind::ThreadRuns)},
           6),
      ElementsAre("2 begin CPU 0 thread: a", "2 begin a (7): runs on CPU 0", "3 mark a (7): exits", "5 end a (7)",
                  "5 end CPU 0 thread", "5 begin CPU 0 thread: b", "5 begin b (7): runs on CPU 0", "6 end b (7)",
                  "6 end CPU 0 thread"));
}

TEST(Timeline, nothing_is_drawn_of_nothing) { EXPECT_THAT(draw({}, 5), IsEmpty()); }

TEST(Timeline, records_without_sense_break_no_promise_to_the_sink) {
  std::mt19937_64 random(11);
  for (int run = 0; run < 200; ++run) {
    std::vector<Record> records(200);
    for (Record& record : records) {
      const auto small = [&](u64 below) { return random() % below; };
      record = {.time = small(1000),
                .id = small(6),
                .address = small(3),
                .other = small(5),
                .frame = small(4),
                .since = small(1200),
                .extra = random(),
                .kind = static_cast<RecordKind>(small(34)),
                .vector = static_cast<u8>(small(256)),
                .pin = static_cast<u8>(small(3)),
                .detail = static_cast<u8>(small(10)),
                .source = static_cast<u16>(small(5)),
                .cpu = static_cast<u8>(small(2))};
    }
    draw(records, 500);
  }
}

}  // namespace
}  // namespace vitrine
