#include "observe/why/why.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "machine/cpu/fault_chain.hpp"

namespace vitrine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr u16 cpu0 = 0, pic0 = 1, pic1 = 2, pit = 3, i8042 = 4, rtc = 5, com1 = 6, com3 = 7;
const TraceHeader header = {.sources = {"cpu0", "pic0", "pic1", "pit", "i8042", "rtc", "com1", "com3"},
                            .lines = {{0, "Timer"}, {1, "Keyboard"}, {4, "Serial Port 1"}, {14, "Primary ATA"}},
                            .guest = "test"};
constexpr u64 handler = 0x4000, iret = 0x4020, culprit = 0x5000, idle = 0x6000;
constexpr u64 ms = 1'000'000;

class Names final : public Symboliser {
 public:
  [[nodiscard]] std::string describe(u64 address) const override {
    if (address == handler) return "keyboard_handler (kbd.c:41)";
    if (address == iret) return "keyboard_handler+0x20 (kbd.c:47)";
    if (address == culprit) return "culprit+0x3 (code.c:12)";
    if (address == idle) return "idle (main.c:9)";
    return {};
  }
};

class Story {
 public:
  Story() {
    // What every guest does: the vectors moved, the lines open.
    remap(pic0, 0x20).remap(pic1, 0x28).mask(pic0, 0xF8, 0x00).mask(pic1, 0xEF, 0x00);
  }
  explicit Story(bool /*untouched*/) {}

  Story& at(u64 time) {
    time_ = time;
    return *this;
  }
  Story& add(Record record) {
    record.time = record.instructions = time_;
    builder.consume(std::span(&record, 1));
    return *this;
  }
  Story& remap(u16 chip, u8 base) {
    return add({.address = culprit,
                .extra = base,
                .kind = RecordKind::ControllerProgrammed,
                .pin = static_cast<u8>(chip == pic0 ? 0 : 8),
                .detail = static_cast<u8>(ControllerRegister::VectorBase),
                .source = chip});
  }
  Story& mask(u16 chip, u8 from, u8 to) {
    return add({.address = culprit,
                .other = from,
                .extra = to,
                .kind = RecordKind::MaskChanged,
                .pin = static_cast<u8>(chip == pic0 ? 0 : 8),
                .source = chip});
  }
  Story& raise(u64 id, u8 line, u16 source, u8 cause = 1) {
    return add({.id = id, .kind = RecordKind::Raised, .pin = line, .detail = cause, .source = source});
  }
  Story& latch(u64 id, u8 line, u16 source = pic0) {
    return add({.id = id, .kind = RecordKind::Latched, .pin = line, .source = source});
  }
  Story& request(u64 id, u8 line, u16 source) {
    return raise(id, line, source).latch(id, line, line < 8 ? pic0 : pic1);
  }
  Story& blocked(u64 id, Obstacle obstacle, u64 since, u16 source = cpu0, u64 address = culprit) {
    return add({.id = id,
                .address = address,
                .since = since,
                .kind = RecordKind::Blocked,
                .detail = static_cast<u8>(obstacle),
                .source = source});
  }
  Story& acknowledge(u64 id, u8 line, u8 vector, u16 source = pic0) {
    add({.id = id, .kind = RecordKind::Acknowledged, .vector = vector, .pin = line, .source = source});
    return in_service(id, line, source);
  }
  Story& in_service(u64 id, u8 line, u16 source) {
    return add({.id = id, .kind = RecordKind::InService, .pin = line, .source = source});
  }
  Story& eoi(u64 id, u8 line, u16 source = pic0) {
    return add({.id = id, .address = 0x4010, .kind = RecordKind::EndOfInterrupt, .pin = line, .source = source});
  }
  Story& deliver(u64 id, u8 vector, DeliveryKind kind = DeliveryKind::External) {
    return add({.id = id,
                .address = handler,
                .other = idle,
                .frame = 0x9000,
                .kind = RecordKind::Delivered,
                .vector = vector,
                .detail = static_cast<u8>(kind)});
  }
  Story& leave(u64 id, u8 vector) {
    return add({.id = id, .address = iret, .frame = 0x9000, .kind = RecordKind::Returned, .vector = vector});
  }
  Story& lower(u64 id, u8 line, u16 source) {
    return add({.id = id, .kind = RecordKind::Lowered, .pin = line, .source = source});
  }
  Story& refuse(u64 id, u8 vector, FailedCheck check) {
    return add({.id = id,
                .address = idle,
                .kind = RecordKind::DeliveryFailed,
                .vector = vector,
                .detail = static_cast<u8>(check)});
  }
  Story& withhold(u8 line, u16 source, WithheldCause cause, u64 since, u64 what, u64 address = culprit) {
    return add({.address = address,
                .since = since,
                .extra = what,
                .kind = RecordKind::Withheld,
                .pin = line,
                .detail = static_cast<u8>(cause),
                .source = source});
  }
  /// The end of withhold().
  Story& no_longer_withhold(u8 line, u16 source, WithheldCause cause, u64 what) {
    return add({.other = static_cast<u64>(cause),
                .extra = what,
                .kind = RecordKind::Withheld,
                .pin = line,
                .detail = static_cast<u8>(WithheldCause::None),
                .source = source});
  }
  Story& whole_life(u64 id, u8 line, u16 source) {
    const auto vector = static_cast<u8>(0x20 + line);
    return request(id, line, source)
        .acknowledge(id, line, vector)
        .deliver(id, vector)
        .lower(id, line, source)
        .eoi(id, line)
        .leave(id, vector);
  }

  [[nodiscard]] RunEnd end() const { return {.time = time_, .address = stopped_at}; }
  [[nodiscard]] WhyAnswer about(u8 line) const { return builder.about_line(line, end(), &names).front(); }
  [[nodiscard]] WhyAnswer about_vector(u8 vector) const { return builder.about_vector(vector, end(), &names).front(); }
  [[nodiscard]] std::vector<WhyAnswer> stuck() const { return builder.about_what_is_stuck(end(), &names); }

  WhyBuilder builder{header};
  u64 stopped_at = 0;
  Names names;

 private:
  u64 time_ = 0;
};

std::string evidence(const WhyAnswer& answer) {
  std::string text;
  for (const WhyEvidence& each : answer.evidence) text += each.text + "\n";
  return text;
}

TEST(Why, missing_eoi_names_the_handler_that_returned_without_it) {
  Story story;
  story.at(1198 * ms).request(12, 1, i8042).acknowledge(12, 1, 0x21).deliver(12, 0x21).lower(12, 1, i8042);
  story.leave(12, 0x21).at(1204 * ms).request(13, 1, i8042).at(1300 * ms);
  const WhyAnswer answer = story.about(1);
  EXPECT_EQ(
      answer.sentence,
      "IRQ 1 (keyboard) was raised at 1.204 s and not delivered: the first 8259 still has it in service since 1.198 s; "
      "keyboard_handler (kbd.c:41) returned without EOI.");
  EXPECT_EQ(answer.cause, "missing-eoi");
  EXPECT_THAT(evidence(answer), HasSubstr("IRET at keyboard_handler+0x20 (kbd.c:47), with no EOI"));
  EXPECT_THAT(answer.advice.front(), HasSubstr("0x20 to port 0x20"));
  EXPECT_TRUE(answer.stuck);
}

TEST(Why, a_line_behind_one_of_higher_priority_in_service_says_whose_it_is) {
  Story story;
  story.at(10 * ms).request(1, 0, pit).acknowledge(1, 0, 0x20).deliver(1, 0x20).leave(1, 0x20);
  story.at(20 * ms).request(2, 4, com1);
  EXPECT_THAT(story.about(4).sentence,
              HasSubstr("the first 8259 still has IRQ 0 (timer) in service since 0.01 s, which goes before it; "
                        "keyboard_handler (kbd.c:41) returned without EOI"));
}

TEST(Why, an_eoi_to_the_second_8259_alone_leaves_the_first_one_busy) {
  Story story;
  story.at(10 * ms).request(1, 8, rtc).latch(1, 2).acknowledge(1, 8, 0x28, pic1).in_service(1, 2, pic0);
  story.deliver(1, 0x28).eoi(1, 8, pic1).leave(1, 0x28).at(20 * ms).request(2, 8, rtc).latch(2, 2);
  const WhyAnswer answer = story.about(8);
  EXPECT_EQ(answer.cause, "eoi-half-cascade");
  EXPECT_THAT(answer.sentence, HasSubstr("sent its EOI to the second 8259 only"));
}

TEST(Why, an_arrived_interrupt_without_eoi_is_told_to_be_the_last) {
  Story story;
  story.at(10 * ms).request(1, 1, i8042).acknowledge(1, 1, 0x21).deliver(1, 0x21).lower(1, 1, i8042).leave(1, 0x21);
  EXPECT_THAT(story.about(1).sentence, HasSubstr("it is the last: keyboard_handler (kbd.c:41) returned without EOI"));
}

TEST(Why, a_masked_line_says_by_whom_and_when) {
  Story story;
  story.at(5 * ms).mask(pic0, 0, 0x10).at(6 * ms).request(1, 4, com1).blocked(1, Obstacle::Masked, 5 * ms, pic0);
  const WhyAnswer answer = story.about(4);
  EXPECT_EQ(
      answer.sentence,
      "IRQ 4 (COM1) was raised at 0.006 s and not delivered: the first 8259 masks it: mask bit 4 is set since 0.005 s, "
      "by culprit+0x3 (code.c:12).");
  EXPECT_EQ(answer.cause, "masked");
}

TEST(Why, a_line_that_only_the_firmware_masked_was_never_opened) {
  Story story(true);
  story.at(6 * ms).request(1, 4, com1);
  EXPECT_THAT(story.about(4).sentence, HasSubstr("the guest has never cleared it"));
}

TEST(Why, a_masked_cascade_is_told_apart_from_a_masked_line) {
  Story story;
  story.at(5 * ms).mask(pic0, 0, 0x04).at(6 * ms).request(1, 8, rtc).latch(1, 2);
  const WhyAnswer answer = story.about(8);
  EXPECT_EQ(answer.cause, "cascade-masked");
  EXPECT_THAT(answer.sentence,
              HasSubstr("the first 8259 masks the input that it asks on (mask bit 2) since 0.005 s, by "
                        "culprit+0x3 (code.c:12)"));
}

TEST(Why, interrupts_off_says_where_they_were_switched_off) {
  Story story;
  story.at(6 * ms).request(1, 0, pit).blocked(1, Obstacle::InterruptFlag, 5 * ms).at(20 * ms);
  story.stopped_at = idle;
  const WhyAnswer answer = story.about(0);
  EXPECT_EQ(answer.cause, "interrupts-off");
  EXPECT_EQ(answer.sentence,
            "IRQ 0 (timer) was raised at 0.006 s and not delivered: CPU 0 has interrupts off (IF=0) since 0.005 s, by "
            "culprit+0x3 (code.c:12).");
  EXPECT_THAT(evidence(answer), HasSubstr("the CPU was at idle (main.c:9) when the run ended"));
}

TEST(Why, interrupts_that_were_never_switched_on) {
  Story story;
  story.at(6 * ms).request(1, 0, pit).blocked(1, Obstacle::InterruptFlag, 0, cpu0, 0);
  EXPECT_THAT(story.about(0).sentence, HasSubstr("since power-on: the guest has never set IF"));
}

TEST(Why, halted_with_interrupts_off_is_for_good) {
  Story story;
  story.at(5 * ms).add({.address = culprit, .kind = RecordKind::Halted, .source = cpu0});
  story.at(6 * ms).request(1, 0, pit).blocked(1, Obstacle::InterruptFlag, 4 * ms);
  const WhyAnswer answer = story.about(0);
  EXPECT_THAT(answer.sentence, HasSubstr("it sleeps in HLT at culprit+0x3 (code.c:12), and nothing can wake it"));
  EXPECT_TRUE(answer.stuck);
}

TEST(Why, a_handler_that_never_returns_says_where_the_cpu_was_last) {
  Story story;
  story.at(5 * ms).request(1, 0, pit).acknowledge(1, 0, 0x20).eoi(1, 0).deliver(1, 0x20);
  story.at(7 * ms).request(2, 1, i8042).blocked(2, Obstacle::InterruptFlag, 5 * ms, cpu0, handler);
  story.at(50 * ms).stopped_at = culprit;
  const WhyAnswer waits = story.about(1);
  EXPECT_EQ(waits.cause, "handler-never-returned");
  EXPECT_THAT(waits.sentence,
              HasSubstr("since 0.005 s, when it entered keyboard_handler (kbd.c:41) for IRQ 0 (timer), which "
                        "has not returned"));
  EXPECT_THAT(evidence(waits), HasSubstr("the CPU was at culprit+0x3 (code.c:12)"));
  const WhyAnswer runs = story.about(0);
  EXPECT_EQ(runs.cause, "handler-never-returned");
  EXPECT_THAT(runs.sentence,
              HasSubstr("has run since then and not returned; the CPU was last at culprit+0x3 (code.c:12)"));
}

TEST(Why, the_shadow_of_sti_is_over_after_one_instruction) {
  Story story;
  story.at(5 * ms).request(1, 0, pit).blocked(1, Obstacle::InterruptShadow, 5 * ms);
  const WhyAnswer answer = story.about(0);
  EXPECT_EQ(answer.cause, "interrupt-shadow");
  EXPECT_FALSE(answer.stuck);
  EXPECT_THAT(story.stuck(), IsEmpty());
}

TEST(Why, one_that_waits_behind_another_tells_what_that_one_waits_for) {
  Story story;
  story.at(5 * ms).request(1, 0, pit).blocked(1, Obstacle::InterruptFlag, 4 * ms);
  story.at(6 * ms).request(2, 1, i8042).at(20 * ms);
  EXPECT_THAT(story.about(1).sentence,
              HasSubstr("IRQ 0 (timer) waits too and goes first: CPU 0 has interrupts off (IF=0) since 0.004 s"));
  EXPECT_THAT(why_text(story.stuck(), header, &story.names, WhyDetail::Short), HasSubstr("IRQ 0 (timer)"));
}

TEST(Why, a_controller_in_the_middle_of_its_initialisation_is_named) {
  Story story;
  story.at(5 * ms).add({.address = culprit,
                        .other = 1,
                        .kind = RecordKind::ControllerProgrammed,
                        .detail = static_cast<u8>(ControllerRegister::Initialised),
                        .source = pic0});
  story.at(6 * ms).request(1, 0, pit);
  const WhyAnswer answer = story.about(0);
  EXPECT_EQ(answer.cause, "not-initialised");
  EXPECT_THAT(answer.sentence, HasSubstr("ICW1 came at 0.005 s, from culprit+0x3 (code.c:12)"));
}

TEST(Why, a_timer_on_vector_8_is_taken_for_a_double_fault) {
  Story story(true);
  story.at(5 * ms).request(1, 0, pit).acknowledge(1, 0, 8).deliver(1, 8).at(60 * ms).request(2, 0, pit);
  const WhyAnswer answer = story.about(0);
  EXPECT_EQ(answer.sentence,
            "IRQ 0 (timer) arrives as vector 8, which is the CPU's own: double fault; the first 8259 still "
            "counts from 8, as the firmware left it.");
  EXPECT_EQ(answer.cause, "wrong-vector");
  EXPECT_EQ(story.about_vector(8).cause, "wrong-vector");
}

TEST(Why, a_guest_that_lives_with_the_firmwares_vectors_is_left_alone) {
  Story story(true);
  story.at(5 * ms).request(1, 0, pit).acknowledge(1, 0, 8).deliver(1, 8).eoi(1, 0).leave(1, 8).lower(1, 0, pit);
  EXPECT_EQ(story.about(0).cause, "arrived");
}

TEST(Why, a_refused_gate_tells_which_check) {
  Story story;
  story.at(5 * ms).request(1, 0, pit).acknowledge(1, 0, 0x20).refuse(1, 0x20, FailedCheck::GateNotPresent);
  story.add({.id = 2, .address = idle, .kind = RecordKind::Exception, .vector = 11}).lower(1, 0, pit);
  const WhyAnswer answer = story.about(0);
  EXPECT_EQ(answer.cause, "delivery-refused");
  EXPECT_THAT(answer.sentence,
              HasSubstr("CPU 0 could not enter its handler through vector 0x20: the gate is not present"));
  EXPECT_THAT(evidence(answer), HasSubstr("so the CPU raised #NP segment not present instead"));
  EXPECT_THAT(story.stuck(), SizeIs(1));
  // The next one finds it still in service.
  story.at(60 * ms).request(3, 0, pit);
  EXPECT_THAT(story.about(0).sentence, HasSubstr("the gate is not present, so nobody sent its EOI"));
}

TEST(Why, a_device_that_withholds_says_what_keeps_it) {
  Story story;
  story.at(5 * ms).withhold(4, com1, WithheldCause::InterruptEnableOff, 0, 2, 0);
  const WhyAnswer off = story.about(4);
  EXPECT_EQ(off.cause, "device-interrupt-off");
  EXPECT_EQ(off.sentence,
            "IRQ 4 (COM1) was never raised: COM1 has had cause for it since 0.005 s (received data waits), but "
            "its own interrupt-enable bit is off, and never was otherwise.");
  EXPECT_THAT(off.advice.front(), HasSubstr("IER, port 0x3F9"));
  EXPECT_THAT(story.stuck(), SizeIs(1));
}

TEST(Why, a_byte_that_was_polled_for_and_read_is_not_called_stuck) {
  Story story;
  story.at(5 * ms).withhold(4, com1, WithheldCause::InterruptEnableOff, 0, 2, 0);
  story.at(6 * ms).no_longer_withhold(4, com1, WithheldCause::InterruptEnableOff, 1);
  EXPECT_THAT(story.stuck(), SizeIs(1)) << "that was another cause";
  story.at(6 * ms).no_longer_withhold(4, com1, WithheldCause::InterruptEnableOff, 2);
  EXPECT_THAT(story.stuck(), IsEmpty());
  EXPECT_EQ(story.about(4).cause, "device-not-enabled");
  story.at(7 * ms).withhold(1, i8042, WithheldCause::BufferNotRead, 5 * ms, 1, 0);
  story.at(8 * ms).no_longer_withhold(1, i8042, WithheldCause::BufferNotRead, 0);
  EXPECT_THAT(story.stuck(), IsEmpty());
}

TEST(Why, a_polled_transmitter_is_not_called_stuck) {
  Story story;
  story.at(5 * ms).withhold(4, com1, WithheldCause::InterruptEnableOff, 0, 4, 0);
  EXPECT_THAT(story.stuck(), IsEmpty());
}

TEST(Why, an_unread_keyboard_byte_names_the_handler_that_left_it) {
  Story story;
  story.at(5 * ms).request(1, 1, i8042).acknowledge(1, 1, 0x21).deliver(1, 0x21).eoi(1, 1).leave(1, 0x21);
  EXPECT_EQ(story.about(1).cause, "line-still-high");
  EXPECT_THAT(story.about(1).sentence, HasSubstr("because keyboard_handler (kbd.c:41) returned without touching it"));
  story.at(50 * ms).withhold(1, i8042, WithheldCause::BufferNotRead, 5 * ms, 1, 0);
  const WhyAnswer answer = story.about(1);
  EXPECT_EQ(answer.cause, "buffer-not-read");
  EXPECT_THAT(answer.sentence,
              HasSubstr("what it said before was never read since 0.005 s, so its line can't rise again; "
                        "keyboard_handler (kbd.c:41) did not touch it"));
  EXPECT_THAT(answer.advice.front(), HasSubstr("0x60"));
}

TEST(Why, a_timer_whose_output_is_high_between_its_pulses_is_not_stuck) {
  Story story;
  story.at(5 * ms).request(1, 0, pit).acknowledge(1, 0, 0x20).deliver(1, 0x20).eoi(1, 0).leave(1, 0x20);
  EXPECT_EQ(story.about(0).cause, "arrived");
}

TEST(Why, a_timer_with_half_a_count_is_not_programmed) {
  Story story;
  story.at(5 * ms).withhold(0, pit, WithheldCause::NotProgrammed, 5 * ms, 0);
  EXPECT_EQ(story.about(0).cause, "device-not-programmed");
}

TEST(Why, never_raised_tells_whether_the_guest_enabled_the_device) {
  Story story;
  EXPECT_EQ(story.about(4).cause, "device-not-enabled");
  EXPECT_THAT(story.about(4).sentence, HasSubstr("nor programmed it at all"));
  story.at(5 * ms).add({.address = culprit,
                        .extra = 0,
                        .kind = RecordKind::DeviceProgrammed,
                        .pin = 4,
                        .detail = static_cast<u8>(DeviceRegister::UartInterruptEnable),
                        .source = com1});
  EXPECT_THAT(
      story.about(4).sentence,
      HasSubstr("the interrupt-enable register (IER) is 0x00, which enables no interrupt since 0.005 s, by culprit"));
  EXPECT_EQ(story.about(1).cause, "never-raised");
  EXPECT_THAT(story.about(1).sentence, HasSubstr("when a key goes down or up"));
  EXPECT_EQ(story.about(14).cause, "no-device");
  EXPECT_THAT(story.about(14).sentence, HasSubstr("IRQ 14 (Primary ATA)"));
}

TEST(Why, a_merged_request_points_at_the_one_that_stands_for_it) {
  Story story;
  story.at(5 * ms).request(1, 4, com1).blocked(1, Obstacle::InterruptFlag, 4 * ms);
  story.at(6 * ms).raise(2, 4, com3).add({.id = 2, .other = 1, .kind = RecordKind::Merged, .pin = 4, .source = com3});
  EXPECT_THAT(evidence(story.about(4)), HasSubstr("one more, #2, merged into it"));
}

TEST(Why, a_request_that_went_away_tells_what_it_had_waited_for) {
  Story story;
  story.at(5 * ms).request(1, 4, com1).blocked(1, Obstacle::InterruptFlag, 4 * ms).at(6 * ms).lower(1, 4, com1);
  story.add({.id = 1, .kind = RecordKind::Withdrawn, .pin = 4, .source = pic0});
  const WhyAnswer answer = story.about(4);
  EXPECT_EQ(answer.cause, "withdrawn");
  EXPECT_THAT(answer.sentence,
              HasSubstr("the request went away at 0.006 s, before the CPU took it; until then it had to wait: "
                        "interrupts are off (IF=0)"));
}

TEST(Why, an_edge_on_a_masked_input_that_remembers_nothing_is_lost) {
  Story story;
  story.at(5 * ms).raise(1, 4, com1).add({.id = 1, .kind = RecordKind::LineLost, .pin = 4, .source = pic0});
  EXPECT_THAT(story.about(4).sentence, HasSubstr("its edge came while the input was masked"));
}

TEST(Why, after_a_triple_fault_nothing_arrives) {
  Story story;
  story.at(5 * ms).add({.address = culprit, .kind = RecordKind::TripleFault, .source = cpu0});
  story.at(6 * ms).request(1, 0, pit);
  EXPECT_EQ(story.about(0).cause, "triple-fault");
}

TEST(Why, what_arrives_is_said_to_arrive_with_its_last_life) {
  Story story;
  for (u64 i = 1; i <= 1000; ++i) story.at(i * ms).whole_life(i, 0, pit);
  const WhyAnswer answer = story.about(0);
  EXPECT_EQ(answer.sentence,
            "IRQ 0 (timer) arrives: 1,000 of 1,000 requests delivered, the last time at 1 s, with vector 0x20, "
            "to keyboard_handler (kbd.c:41).");
  ASSERT_TRUE(answer.life.has_value());
  EXPECT_EQ(answer.life->id, 1000u);
  EXPECT_THAT(story.stuck(), IsEmpty());
  EXPECT_EQ(story.about_vector(0x20).cause, "arrived");
}

TEST(Why, a_tick_that_the_end_of_the_run_cut_off_is_not_stuck) {
  Story story;
  story.at(5 * ms).request(1, 0, pit).blocked(1, Obstacle::InterruptFlag, 5 * ms - 100).at(5 * ms + 500);
  EXPECT_THAT(story.stuck(), IsEmpty());
  story.at(7 * ms);
  EXPECT_THAT(story.stuck(), SizeIs(1));
}

TEST(Why, what_waits_for_the_same_is_told_once) {
  Story story;
  story.at(5 * ms).request(1, 0, pit).blocked(1, Obstacle::InterruptFlag, 4 * ms).at(6 * ms).mask(pic0, 0, 0x12);
  story.request(2, 1, i8042).request(3, 4, com1).at(20 * ms);
  const auto answers = story.stuck();
  ASSERT_THAT(answers, SizeIs(3));
  const std::string text = why_text(answers, header, nullptr, WhyDetail::Short);
  EXPECT_THAT(text, HasSubstr("mask bit 1 is set"));
  EXPECT_THAT(text, Not(HasSubstr("What to try")));
}

TEST(Why, exceptions_and_software_interrupts_have_answers_too) {
  Story story;
  EXPECT_THAT(story.about_vector(14).sentence, HasSubstr("vector 14 (#PF page fault) was never raised"));
  EXPECT_THAT(story.about_vector(0x80).sentence, HasSubstr("no INT 0x80 was executed"));
  story.at(5 * ms).add({.id = 1, .address = idle, .kind = RecordKind::Exception, .vector = 14});
  story.deliver(1, 14, DeliveryKind::Fault).leave(1, 14);
  EXPECT_EQ(story.about_vector(14).cause, "arrived");
  story.at(6 * ms).refuse(2, 0x80, FailedCheck::DplTooLow);
  EXPECT_THAT(story.about_vector(0x80).sentence, HasSubstr("the gate's DPL forbids"));
}

TEST(Why, sources_go_by_what_people_call_them) {
  Story story;
  const auto ask = [&](std::string_view name) { return story.builder.about_source(name, story.end(), nullptr); };
  EXPECT_EQ(ask("Keyboard").value().front().line, 1);
  EXPECT_EQ(ask("com1").value().front().line, 4);
  EXPECT_THAT(ask("i8042").value(), SizeIs(2));
  EXPECT_EQ(ask("Serial Port 1").value().front().line, 4);
  EXPECT_THAT(ask("toaster").error(), HasSubstr("timer, keyboard, mouse, COM1"));
}

TEST(WhyText, has_cause_evidence_life_and_advice_in_this_order) {
  Story story;
  story.at(5 * ms).mask(pic0, 0, 0x10).at(6 * ms).request(1, 4, com1);
  const auto answers = story.builder.about_line(4, story.end(), &story.names);
  const std::string text = why_text(answers, header, &story.names, WhyDetail::Full);
  const std::size_t evidence_at = text.find("Evidence:"), life_at = text.find("The request, step by step"),
                    advice_at = text.find("What to try");
  EXPECT_EQ(text.find("IRQ 4 (COM1) was raised"), 0u);
  EXPECT_LT(evidence_at, life_at);
  EXPECT_LT(life_at, advice_at);
  EXPECT_NE(advice_at, std::string::npos);
  const auto json = nlohmann::json::parse(why_json(answers, header, &story.names));
  EXPECT_EQ(json["answers"][0]["cause"], "masked");
  EXPECT_EQ(json["answers"][0]["life"]["id"], 1);
  EXPECT_EQ(json["answers"][0]["evidence"][0]["place"], "culprit+0x3 (code.c:12)");
}

}  // namespace
}  // namespace vitrine
