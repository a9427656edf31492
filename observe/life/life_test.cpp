#include "observe/life/life.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "observe/life/places.hpp"

namespace vitrine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr u16 cpu0 = 0, pic0 = 1, pic1 = 2, pit = 3, i8042 = 4, rtc = 5;
const TraceHeader header = {.sources = {"cpu0", "pic0", "pic1", "pit", "i8042", "rtc"}, .guest = "test"};

class Names final : public Symboliser {
 public:
  [[nodiscard]] std::string describe(u64 address) const override {
    if (address == 0x4000) return "keyboard_handler (kbd.c:41)";
    if (address == 0x4010) return "keyboard_handler+0x10 (kbd.c:43)";
    if (address == 0x5003) return "spin_lock+0x3 (lock.c:12)";
    return {};
  }
};

class Story {
 public:
  Story& at(u64 time) {
    time_ = time;
    return *this;
  }
  Story& add(Record record) {
    record.time = record.instructions = time_;
    tracker.consume(record);
    return *this;
  }
  Story& raise(u64 id, u8 line, u16 source, u8 cause = 1) {
    return add({.id = id, .kind = RecordKind::Raised, .pin = line, .detail = cause, .source = source});
  }
  Story& latch(u64 id, u8 line, u16 source = pic0) {
    return add({.id = id, .kind = RecordKind::Latched, .pin = line, .source = source});
  }
  Story& acknowledge(u64 id, u8 line, u8 vector, u16 source = pic0) {
    add({.id = id, .kind = RecordKind::Acknowledged, .vector = vector, .pin = line, .source = source});
    return add({.id = id, .kind = RecordKind::InService, .pin = line, .source = source});
  }
  Story& eoi(u64 id, u8 line, u16 source = pic0) {
    return add({.id = id, .address = 0x4010, .kind = RecordKind::EndOfInterrupt, .pin = line, .source = source});
  }
  Story& deliver(u64 id, u8 vector, u64 frame, DeliveryKind kind = DeliveryKind::External) {
    return add({.id = id,
                .address = 0x4000,
                .other = 0x1234,
                .frame = frame,
                .kind = RecordKind::Delivered,
                .vector = vector,
                .detail = static_cast<u8>(kind)});
  }
  Story& leave(u64 id, u8 vector, u64 frame) {
    return add({.id = id, .address = 0x4020, .frame = frame, .kind = RecordKind::Returned, .vector = vector});
  }
  Story& whole_life(u64 id, u8 line, u64 frame) {
    const u8 vector = static_cast<u8>(0x20 + line);
    return raise(id, line, pit)
        .latch(id, line)
        .acknowledge(id, line, vector)
        .deliver(id, vector, frame)
        .eoi(id, line)
        .leave(id, vector, frame);
  }
  Story& thread(RecordKind kind, u64 number, u64 id = 0) {
    return add({.id = id, .address = 0x4018, .other = number, .kind = kind});
  }
  [[nodiscard]] std::vector<RecordKind> kinds(u64 id) const {
    std::vector<RecordKind> kinds;
    if (const Life* life = tracker.find(id)) {
      for (const Record& record : life->records) kinds.push_back(record.kind);
    }
    return kinds;
  }
  [[nodiscard]] std::vector<u64> open() const {
    std::vector<u64> ids;
    for (const Life* life : tracker.open()) ids.push_back(life->id);
    return ids;
  }
  LifeTracker tracker;

 private:
  u64 time_ = 0;
};

TEST(Life, collects_what_happens_to_one_request_in_order) {
  Story story;
  story.raise(1, 1, i8042).latch(1, 1);
  EXPECT_THAT(story.open(), ElementsAre(1));
  story.acknowledge(1, 1, 0x21).deliver(1, 0x21, 0x9000);
  EXPECT_EQ(story.tracker.running(0), 1u);
  story.eoi(1, 1).leave(1, 0x21, 0x9000);
  EXPECT_THAT(story.open(), ElementsAre());
  EXPECT_EQ(story.tracker.running(0), 0u);
  EXPECT_THAT(story.kinds(1),
              ElementsAre(RecordKind::Raised, RecordKind::Latched, RecordKind::Acknowledged, RecordKind::InService,
                          RecordKind::Delivered, RecordKind::EndOfInterrupt, RecordKind::Returned));
  EXPECT_TRUE(story.tracker.find(1)->closed);
  ASSERT_EQ(story.tracker.ended_on_line(1).size(), 1u);
}

TEST(Life, without_eoi_stays_open_after_its_handler_has_returned) {
  Story story;
  story.raise(1, 1, i8042).latch(1, 1).acknowledge(1, 1, 0x21).deliver(1, 0x21, 0x9000).leave(1, 0x21, 0x9000);
  EXPECT_FALSE(story.tracker.find(1)->closed);
  story.eoi(1, 1);
  EXPECT_TRUE(story.tracker.find(1)->closed);
}

TEST(Life, goes_on_when_a_level_that_is_still_high_is_latched_again) {
  Story story;
  story.whole_life(1, 5, 0x9000).latch(1, 5);
  EXPECT_THAT(story.open(), ElementsAre(1));
  EXPECT_TRUE(story.tracker.ended_on_line(5).empty());
}

TEST(Life, goes_through_both_controllers_under_one_id) {
  Story story;
  story.raise(1, 8, rtc).latch(1, 8, pic1).latch(1, 2, pic0);
  story.acknowledge(1, 8, 0x28, pic1).add({.id = 1, .kind = RecordKind::InService, .pin = 2, .source = pic0});
  story.deliver(1, 0x28, 0x9000).eoi(1, 8, pic1).leave(1, 0x28, 0x9000);
  EXPECT_FALSE(story.tracker.find(1)->closed);  // the first 8259 waits for its EOI
  story.eoi(1, 2, pic0);
  EXPECT_TRUE(story.tracker.find(1)->closed);
  EXPECT_EQ(story.kinds(1).size(), 10u);
}

TEST(Life, is_the_innermost_one_while_handlers_nest) {
  Story story;
  story.raise(1, 0, pit).latch(1, 0).acknowledge(1, 0, 0x20).deliver(1, 0x20, 0x9000).eoi(1, 0);
  story.raise(2, 1, i8042).latch(2, 1).acknowledge(2, 1, 0x21).deliver(2, 0x21, 0x8F00);
  EXPECT_EQ(story.tracker.running(0), 2u);
  EXPECT_EQ(story.tracker.frames(0).size(), 2u);
  story.eoi(2, 1).leave(2, 0x21, 0x8F00);
  EXPECT_EQ(story.tracker.running(0), 1u);
}

TEST(Life, of_a_handler_that_switched_threads_does_not_own_what_the_other_thread_does) {
  Story story;
  story.raise(1, 0, pit).latch(1, 0).acknowledge(1, 0, 0x20).deliver(1, 0x20, 0x9000).eoi(1, 0);
  story.raise(2, 0, pit).latch(2, 0).acknowledge(2, 0, 0x20).deliver(2, 0x20, 0xA000).eoi(2, 0);
  story.leave(1, 0x20, 0x9000);  // the handler of 2 has switched to the thread that 1 had interrupted
  EXPECT_EQ(story.tracker.running(0), 0u);
  EXPECT_THAT(story.open(), ElementsAre(2));
}

TEST(Life, of_a_frame_that_another_has_overwritten_is_over) {
  Story story;
  story.raise(1, 0, pit).latch(1, 0).acknowledge(1, 0, 0x20).deliver(1, 0x20, 0x9000).eoi(1, 0);
  story.deliver(2, 0x80, 0x9000, DeliveryKind::Software);
  EXPECT_TRUE(story.tracker.find(1)->closed);
  EXPECT_EQ(story.tracker.running(0), 2u);
}

TEST(Life, that_merged_ends_and_the_pending_one_knows_of_it) {
  Story story;
  story.raise(1, 4, pit).latch(1, 4).raise(2, 4, pit);
  story.add({.id = 2, .other = 1, .kind = RecordKind::Merged, .pin = 4, .source = pit});
  EXPECT_TRUE(story.tracker.find(2)->closed);
  EXPECT_THAT(story.kinds(1), ElementsAre(RecordKind::Raised, RecordKind::Latched, RecordKind::Merged));
}

TEST(Life, whose_request_went_away_knows_of_the_spurious_interrupt) {
  Story story;
  story.raise(1, 5, pit).latch(1, 5).add({.id = 1, .kind = RecordKind::Withdrawn, .pin = 5, .source = pic0});
  EXPECT_TRUE(story.tracker.find(1)->closed);
  story.add({.other = 1, .kind = RecordKind::Spurious, .vector = 0x27, .pin = 7, .source = pic0});
  story.deliver(0, 0x27, 0x9000);
  EXPECT_EQ(story.tracker.running(0), 0u);
  EXPECT_EQ(story.tracker.frames(0).size(), 1u);
  story.leave(0, 0x27, 0x9000);
  EXPECT_THAT(story.kinds(1), ElementsAre(RecordKind::Raised, RecordKind::Latched, RecordKind::Withdrawn,
                                          RecordKind::Spurious, RecordKind::Delivered, RecordKind::Returned));
}

TEST(Life, of_a_failed_delivery_ends_with_the_exception_that_came_of_it) {
  Story story;
  story.deliver(7, 0x80, 0x8000, DeliveryKind::Software).leave(7, 0x80, 0x8000);
  story.add({.id = 8, .kind = RecordKind::DeliveryFailed, .vector = 0x81, .detail = 1});
  story.add({.id = 9, .kind = RecordKind::Exception, .vector = 13}).deliver(9, 13, 0x9000, DeliveryKind::Fault);
  EXPECT_THAT(story.kinds(8), ElementsAre(RecordKind::DeliveryFailed, RecordKind::Exception));
  EXPECT_TRUE(story.tracker.find(8)->closed);
  EXPECT_THAT(story.open(), ElementsAre(9));
  EXPECT_EQ(story.tracker.ended_with_vector(0x80).size(), 1u);
}

TEST(Life, includes_the_threads_that_its_handler_woke_until_they_run) {
  Story story;
  story.thread(RecordKind::ThreadRuns, 1);
  story.add({.address = 0x6C6C656873 /* "shell" */, .other = 7, .kind = RecordKind::ThreadNamed});
  story.raise(1, 1, i8042).latch(1, 1).acknowledge(1, 1, 0x21).deliver(1, 0x21, 0x9000);
  story.thread(RecordKind::ThreadWoken, 7).eoi(1, 1).leave(1, 0x21, 0x9000);
  story.thread(RecordKind::ThreadWoken, 8);  // not by a handler
  story.thread(RecordKind::ThreadRuns, 8).thread(RecordKind::ThreadRuns, 7).thread(RecordKind::ThreadRuns, 7);
  const auto kinds = story.kinds(1);
  ASSERT_EQ(kinds.size(), 9u);
  EXPECT_EQ(kinds[5], RecordKind::ThreadWoken);
  EXPECT_EQ(kinds[8], RecordKind::ThreadRuns);
  EXPECT_EQ(story.tracker.find(1)->thread, 1u);
  EXPECT_THAT(life_text(*story.tracker.find(1), header, nullptr), HasSubstr("thread 7 (shell)"));
}

TEST(Life, of_the_handler_that_another_thread_is_in_is_found_again_when_that_thread_runs) {
  Story story;
  story.thread(RecordKind::ThreadRuns, 1).raise(1, 0, pit).latch(1, 0).acknowledge(1, 0, 0x20);
  story.deliver(1, 0x20, 0x9000).eoi(1, 0).thread(RecordKind::ThreadRuns, 2);
  EXPECT_EQ(story.tracker.running(0), 0u);
  story.thread(RecordKind::ThreadRuns, 1);
  EXPECT_EQ(story.tracker.running(0), 1u);
}

TEST(Life, keeps_its_first_and_last_steps_when_there_are_too_many) {
  Story story;
  story.at(1).raise(1, 0, pit).latch(1, 0);
  for (u64 i = 0; i < 1000; ++i) {
    story.at(i + 2).add({.id = 1, .kind = RecordKind::Blocked, .pin = 0, .detail = 1, .source = pic0});
  }
  const Life& life = *story.tracker.find(1);
  EXPECT_EQ(life.records.size(), Life::most_records);
  EXPECT_EQ(life.left_out, 1002u - Life::most_records);
  EXPECT_EQ(life.records.front().kind, RecordKind::Raised);
  EXPECT_EQ(life.records.back().time, 1001u);
  EXPECT_THAT(life_text(life, header, nullptr), HasSubstr("(938 steps left out)"));
}

TEST(Life, memory_of_ended_ones_is_bounded) {
  Story story;
  for (u64 id = 1; id <= 10000; ++id) story.whole_life(id, 0, 0x9000);
  EXPECT_EQ(story.tracker.ended_on_line(0).size(), 8u);
  EXPECT_EQ(story.tracker.find(1), nullptr);
  EXPECT_NE(story.tracker.find(10000), nullptr);
  for (u64 id = 10001; id <= 20000; ++id) story.raise(id, 3, pit);  // no controller takes them: a damaged trace
  EXPECT_LE(story.tracker.open().size(), 1024u);
}

TEST(LifeText, is_a_staircase_from_the_device_to_the_return) {
  Story story;
  const Names names;
  story.at(1'204'000'113).raise(1, 1, i8042).latch(1, 1);
  story.add({.id = 1,
             .address = 0x5003,
             .since = 1'203'999'000,
             .kind = RecordKind::Blocked,
             .detail = static_cast<u8>(Obstacle::InterruptFlag),
             .source = cpu0});
  story.at(1'204'002'213).acknowledge(1, 1, 0x21).deliver(1, 0x21, 0x9000);
  story.at(1'204'002'251)
      .add({.id = 1, .address = 0x4010, .extra = 0x60, .kind = RecordKind::Attended, .pin = 1, .source = i8042});
  story.at(1'204'002'300).eoi(1, 1).at(1'204'002'310).leave(1, 0x21, 0x9000);
  EXPECT_EQ(life_text(*story.tracker.find(1), header, &names, "  "),
            "  #1: IRQ 1, keyboard\n"
            "       1.204000113 s  keyboard: a byte from the keyboard is in its output buffer: it raises IRQ 1\n"
            "               +0 ns    first 8259: remembers the request (IRR bit 1)\n"
            "               +0 ns        CPU 0: can't take it yet: interrupts are off (IF=0) since 1.203999000 s, by "
            "spin_lock+0x3 (lock.c:12)\n"
            "           +2.100 us        first 8259: the CPU asks which one it is; the answer is vector 0x21\n"
            "               +0 ns        first 8259: it is in service until an EOI comes (ISR bit 1)\n"
            "               +0 ns        CPU 0: enters keyboard_handler (kbd.c:41), interrupting 0x1234\n"
            "              +38 ns          keyboard_handler+0x10 (kbd.c:43): turns to the device that asked: keyboard, "
            "port 0x60\n"
            "              +49 ns          keyboard_handler+0x10 (kbd.c:43): EOI: the first 8259 may let the next one "
            "through\n"
            "              +10 ns          0x4020: IRET: back to what was interrupted\n");
}

TEST(LifeText, has_a_twin_in_json) {
  Story story;
  story.whole_life(3, 0, 0x9000);
  const auto json = nlohmann::json::parse(life_json(*story.tracker.find(3), header, nullptr));
  EXPECT_EQ(json["id"], 3);
  EXPECT_EQ(json["what"], "IRQ 0, timer");
  EXPECT_EQ(json["steps"].size(), 7u);
  EXPECT_EQ(json["steps"][0]["place"], "timer");
}

class Fixed final : public Symboliser {
 public:
  explicit Fixed(std::string name) : name_(std::move(name)) {}
  [[nodiscard]] std::string describe(u64) const override { return name_; }

 private:
  std::string name_;
};

TEST(Places, of_code_leave_the_parameters_of_c_plus_plus_out) {
  const auto place = [](const char* name) {
    const Fixed symbols(name);
    return code_place(1, &symbols);
  };
  EXPECT_EQ(place("f(int, char (*)(int))+0x12 (a.cpp:3)"), "f+0x12 (a.cpp:3)");
  EXPECT_EQ(place("a::f() const (a.cpp:3)"), "a::f (a.cpp:3)");
  EXPECT_EQ(place("f(int)"), "f");
  EXPECT_EQ(place("f+0x1 (a.c:3)"), "f+0x1 (a.c:3)");
  EXPECT_EQ(place("f (a.c:3)"), "f (a.c:3)");
  EXPECT_EQ(place("x::operator()(int)+0x3"), "x::operator()+0x3");
  EXPECT_EQ(place("(anonymous namespace)::f()"), "(anonymous namespace)::f");
  EXPECT_EQ(place(""), "0x1");
}

TEST(Places, have_the_names_that_people_use) {
  EXPECT_EQ(device_title("i8042", 1), "keyboard");
  EXPECT_EQ(device_title("i8042", 12), "mouse");
  EXPECT_EQ(device_title("cpu0"), "CPU 0");
  EXPECT_EQ(device_title("pic1"), "second 8259");
  EXPECT_EQ(device_title("something"), "something");
  EXPECT_EQ(cause_clause("com1", 2), "received data waits");
  EXPECT_THAT(cause_clause("something", 9), HasSubstr("9"));
}

}  // namespace
}  // namespace vitrine
