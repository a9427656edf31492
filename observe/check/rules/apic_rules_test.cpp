// The rules of APICs, on records made by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "observe/apic_story.hpp"
#include "observe/check/rules/apic_ends.hpp"
#include "observe/check/rules/io_apic_rules.hpp"
#include "observe/check/rules/ipi_rules.hpp"
#include "observe/check/rules/lost_message.hpp"
#include "observe/check/rules/spurious_mishandled.hpp"
#include "observe/check/rules/written_ends.hpp"

namespace vitrine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr u64 ms = 1'000'000;
constexpr u64 masked = u64{1} << 16, level = u64{1} << 15, low = u64{1} << 13;

template <class RuleUnderTest>
struct ApicBench : FindingSink {
  ApicBench() : rule(std::make_unique<RuleUnderTest>(RuleContext{*this, lives, header})) {}
  void report(Finding finding) override { findings.push_back(std::move(finding)); }
  void take(const Record& record) {
    lives.consume(record);
    if ((rule->record_kinds() >> static_cast<unsigned>(record.kind) & 1) != 0) rule->consume(record);
  }
  void finish(u64 time, const std::string& reason = "time") {
    rule->finish({.time = time, .instructions = time, .reason = reason});
  }
  std::vector<std::string> found() {
    std::vector<std::string> words;
    for (const Finding& each : findings) words.push_back(std::string(severity_name(each.severity)) + " " + each.rule);
    return words;
  }

  TraceHeader header = ApicStory::header();
  LifeTracker lives;
  std::vector<Finding> findings;
  std::unique_ptr<Rule> rule;
  ApicStory story{[this](const Record& record) { take(record); }};
};

struct ApicEndsTest : testing::Test, ApicBench<ApicEnds> {
  void eoi_to_8259() {
    story.add(
        {.address = ApicStory::culprit, .kind = RecordKind::EndOfInterrupt, .pin = 0xFF, .source = ApicStory::pic0});
  }
  void next_waits_for(u64 id) {
    story.local(99, ApicPin::Timer, 0x31, 0);
    story.add({.id = 99,
               .other = id,
               .extra = 0x30,
               .kind = RecordKind::Blocked,
               .vector = 0x31,
               .detail = static_cast<u8>(Obstacle::PriorityTooLow),
               .source = ApicStory::lapic0});
  }
};

TEST_F(ApicEndsTest, an_eoi_to_the_8259_for_an_interrupt_of_the_local_apic_is_found_at_the_return) {
  story.at(ms).raise(1, 4).io_apic(1, 4, 0x34, 0).take(1, 0x34, 0);
  eoi_to_8259();
  EXPECT_THAT(found(), IsEmpty());
  story.leave(1, 0x34, 0);
  ASSERT_THAT(found(), ElementsAre("warning eoi-wrong-controller"));
  EXPECT_THAT(findings[0].sentence, HasSubstr("sent the EOI for IRQ 4 (COM1) to the first 8259, which had nothing"));
  next_waits_for(1);
  finish(20 * ms);
  EXPECT_THAT(found(), ElementsAre("warning eoi-wrong-controller", "error eoi-wrong-controller"));
}

TEST_F(ApicEndsTest, an_eoi_to_the_local_apic_for_an_interrupt_of_the_8259_is_found) {
  story.at(ms).raise(1, 4);
  story.add({.id = 1, .kind = RecordKind::Latched, .pin = 4, .source = ApicStory::pic0});
  story.add({.id = 1, .kind = RecordKind::Acknowledged, .vector = 0x24, .pin = 4, .source = ApicStory::pic0});
  story.add({.id = 1, .kind = RecordKind::InService, .pin = 4, .source = ApicStory::pic0});
  story.add({.id = 1,
             .address = ApicStory::handler,
             .frame = 0x9000,
             .kind = RecordKind::Delivered,
             .vector = 0x24,
             .detail = static_cast<u8>(DeliveryKind::External)});
  story.eoi(0, 0, 0).leave(1, 0x24, 0);
  ASSERT_THAT(found(), ElementsAre("warning eoi-wrong-controller"));
  EXPECT_THAT(findings[0].sentence, HasSubstr("to the local APIC of CPU 0, which had nothing in service"));
}

TEST_F(ApicEndsTest, who_ends_it_at_both_controllers_is_left_alone) {
  story.at(ms).raise(1, 4).io_apic(1, 4, 0x34, 0).take(1, 0x34, 0);
  eoi_to_8259();
  story.eoi(1, 0x34, 0).leave(1, 0x34, 0);
  finish(1000 * ms);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(ApicEndsTest, no_eoi_at_all_is_missing_eoi_once_another_one_waits) {
  story.at(ms).local(1, ApicPin::Timer, 0x30, 0).take(1, 0x30, 0).leave(1, 0x30, 0);
  finish(ms);
  EXPECT_THAT(found(), IsEmpty());
  next_waits_for(1);
  finish(20 * ms);
  EXPECT_THAT(found(), ElementsAre("error missing-eoi"));
  EXPECT_THAT(findings[0].evidence, testing::Contains(HasSubstr("the local APIC's EOI register (offset 0xB0")));
}

TEST_F(ApicEndsTest, an_eoi_after_the_return_is_no_mistake) {
  story.at(ms).local(1, ApicPin::Timer, 0x30, 0).take(1, 0x30, 0).leave(1, 0x30, 0);
  next_waits_for(1);
  story.eoi(1, 0x30, 0).at(100 * ms).raise(5, 3);
  finish(100 * ms, "halted");
  EXPECT_THAT(found(), IsEmpty());
}

struct IoApicRulesTest : testing::Test, ApicBench<IoApicRules> {};

TEST_F(IoApicRulesTest, entries_as_the_board_wants_them_are_silent) {
  story.entry(2, masked, 0x30)
      .entry(4, masked, 0x34)
      .entry(9, masked, 0x39 | level)
      .entry(16, masked, 0x40 | level | low);
  story.raise(1, 0, ApicStory::pit).raise(2, 4).raise(3, 9).raise(4, 16, ApicStory::card);
  finish(ms);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(IoApicRulesTest, polarity_and_trigger_are_compared_with_the_board) {
  struct Row {
    u8 pin;
    u64 entry;
    const char* says;
  };
  const Row rows[] = {
      {4, 0x34 | low, "says active low, but this line is active high"},
      {4, 0x34 | level, "is level-triggered, but this line is an edge"},
      {16, 0x40 | level, "says active high, but this line is active low"},
      {16, 0x40 | low, "is edge-triggered, but this line is a level, which devices share"},
      {4, 0x05, "has vector 0x05, and vectors below 0x10 can't be delivered"},
  };
  for (const Row& row : rows) {
    ApicBench<IoApicRules> bench;
    bench.story.entry(row.pin, masked, row.entry).raise(1, row.pin);
    ASSERT_THAT(bench.found(), ElementsAre("error ioapic-mismatch")) << row.says;
    EXPECT_THAT(bench.findings[0].sentence, HasSubstr(row.says));
  }
}

TEST_F(IoApicRulesTest, a_masked_entry_and_one_that_is_put_right_in_time_are_silent) {
  story.entry(4, masked, masked | low).raise(1, 4);
  story.entry(3, masked, 0x33 | low).entry(3, 0x33 | low, 0x33).raise(2, 3);
  finish(ms);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(IoApicRulesTest, the_timer_on_pin_0_is_told_at_the_end) {
  story.entry(0, masked, 0x30);
  finish(ms);
  ASSERT_THAT(found(), ElementsAre("warning ioapic-mismatch"));
  EXPECT_THAT(findings[0].sentence, HasSubstr("the timer is on pin 2"));
}

TEST_F(IoApicRulesTest, a_destination_that_comes_after_the_opening_is_too_late) {
  story.at(1000).entry(4, masked, 0x34).at(1010).entry(4, 0x34, 0x34 | u64{1} << 56);
  ASSERT_THAT(found(), ElementsAre("warning enabled-too-early"));
  EXPECT_THAT(findings[0].sentence, HasSubstr("goes to APIC id 0 instead of 1"));
}

TEST_F(IoApicRulesTest, a_destination_that_moves_later_is_a_balancer_at_work) {
  story.at(1000).entry(4, masked, 0x34).at(ms).entry(4, 0x34, 0x34 | u64{1} << 56);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(IoApicRulesTest, an_edge_dropped_at_a_masked_entry_is_told_if_nobody_looks_at_the_device) {
  const auto drop = [&](u64 id) {
    story.raise(id, 4);
    story.add({.id = id, .kind = RecordKind::LineLost, .pin = 4, .source = ApicStory::ioapic0});
  };
  story.at(ms).entry(4, masked, 0x34).entry(4, 0x34, 0x34 | masked);
  drop(1);
  story.entry(4, 0x34 | masked, 0x34).at(50 * ms).raise(9, 3);
  EXPECT_THAT(found(), IsEmpty());
  story.at(200 * ms).raise(10, 3);
  ASSERT_THAT(found(), ElementsAre("warning lost-edge"));
  EXPECT_THAT(findings[0].sentence, HasSubstr("the edge is lost, the line is still high"));
}

TEST_F(IoApicRulesTest, a_driver_that_looks_after_opening_loses_nothing) {
  story.at(ms).entry(4, masked, 0x34).entry(4, 0x34, 0x34 | masked).raise(1, 4);
  story.add({.id = 1, .kind = RecordKind::LineLost, .pin = 4, .source = ApicStory::ioapic0});
  story.entry(4, 0x34 | masked, 0x34);
  story.add({.id = 1, .kind = RecordKind::Attended, .pin = 4, .source = ApicStory::com1});
  story.at(500 * ms).raise(10, 3);
  finish(500 * ms, "halted");
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(IoApicRulesTest, one_request_through_both_controllers_is_told) {
  story.entry(4, masked, 0x34).raise(1, 4).io_apic(1, 4, 0x34, 0);
  story.add({.id = 1, .kind = RecordKind::Latched, .pin = 4, .source = ApicStory::pic0});
  story.add({.id = 1, .kind = RecordKind::Acknowledged, .vector = 0x24, .pin = 4, .source = ApicStory::pic0});
  story.take(1, 0x34, 0);
  ASSERT_THAT(found(), ElementsAre("warning unremapped-pic"));
  EXPECT_THAT(findings[0].sentence, HasSubstr("IRQ 4 (COM1) comes twice"));
}

struct BadIpi : testing::Test, ApicBench<IpiRules> {
  static constexpr u8 ipi = static_cast<u8>(ApicPin::Interprocessor);
  void lose(u8 vector, MessageLoss loss, u64 bits = 9) {
    story.sent(1, ipi, vector, 9, ApicStory::lapic0);
    story.add({.id = 1,
               .address = ApicStory::culprit,
               .extra = bits,
               .kind = RecordKind::MessageLost,
               .vector = vector,
               .pin = ipi,
               .detail = static_cast<u8>(loss),
               .source = ApicStory::lapic0});
  }
};

TEST_F(BadIpi, what_nobody_takes_is_an_error_and_names_the_sender) {
  lose(0xFD, MessageLoss::NoReceiver);
  ASSERT_THAT(found(), ElementsAre("error bad-ipi"));
  EXPECT_EQ(findings[0].sentence,
            "@{0x5000} sent an IPI that has no effect (vector 0xfd to APIC id 9): no local APIC has that address");
}

TEST_F(BadIpi, the_second_start_up_message_and_a_broadcast_without_others_are_silent) {
  lose(0x9A, MessageLoss::NotWaiting);
  lose(0xFD, MessageLoss::NoReceiver, u64{3} << message_extra::shorthand);
  EXPECT_THAT(found(), IsEmpty());
}

struct LostBench : ApicBench<LostMessage> {
  /// COM1's, sent by the I/O APIC's entry 4.
  void lose(u32 destination, MessageLoss loss, u8 vector = 0x34) {
    story.at(ms).raise(1, 4).sent(1, 4, vector, destination);
    story.lost(1, 4, vector, destination, loss, ApicStory::ioapic0);
  }
};

struct LostMessageTest : testing::Test, LostBench {};

TEST_F(LostMessageTest, an_entry_that_names_nobody_is_an_error_and_names_who_wrote_it) {
  story.entry(4, masked, 0x34 | u64{9} << 56);
  lose(9, MessageLoss::NoReceiver);
  ASSERT_THAT(found(), ElementsAre("error lost-message"));
  EXPECT_EQ(
      findings[0].sentence,
      "@{0x5000} programmed IRQ 4 (COM1) so that its interrupt has no effect (vector 0x34 to APIC id 9): no local "
      "APIC has that address");
}

TEST_F(LostMessageTest, a_receiver_that_is_off_names_who_switched_it_off) {
  struct Row {
    ControllerRegister which;
    u64 value;
    const char* says;
  };
  const Row rows[] = {
      {ControllerRegister::SpuriousVector, 0xFF, "switched the local APIC of CPU 0 off (SVR bit 8)"},
      {ControllerRegister::ApicBase, 0xFEE00100, "switched the local APIC of CPU 0 off (IA32_APIC_BASE bit 11)"}};
  for (const Row& row : rows) {
    LostBench bench;
    bench.story.entry(4, masked, 0x34, 0x7000).apic(0, row.which, row.value);
    bench.lose(0, MessageLoss::ReceiverDisabled);
    ASSERT_THAT(bench.found(), ElementsAre("warning lost-message")) << row.says;
    EXPECT_EQ(bench.findings[0].address, ApicStory::culprit);
    EXPECT_THAT(bench.findings[0].sentence, HasSubstr(row.says));
  }
}

TEST_F(LostMessageTest, a_receiver_that_was_never_started_is_told_as_that) {
  story.entry(4, masked, 0x34 | u64{1} << 56);
  lose(1, MessageLoss::ReceiverDisabled);
  ASSERT_THAT(found(), ElementsAre("warning lost-message"));
  EXPECT_THAT(findings[0].sentence, HasSubstr("CPU 1 has not been started"));
}

TEST_F(LostMessageTest, what_the_firmware_left_and_what_other_rules_tell_is_silent) {
  lose(9, MessageLoss::NoReceiver);
  story.entry(4, masked, 0x05);
  lose(0, MessageLoss::IllegalVector, 0x05);
  story.sent(2, static_cast<u8>(ApicPin::Interprocessor), 0xFD, 9, ApicStory::lapic0);
  story.lost(2, static_cast<u8>(ApicPin::Interprocessor), 0xFD, 9, MessageLoss::NoReceiver, ApicStory::lapic0);
  EXPECT_THAT(found(), IsEmpty());
}

struct SpuriousVector : testing::Test, ApicBench<SpuriousMishandled> {
  void spurious(u64 ended) {
    story.add({.kind = RecordKind::Spurious, .vector = 0xFF, .pin = 0xFF, .source = ApicStory::lapic0});
    story.add({.address = ApicStory::handler,
               .frame = 0x8000,
               .kind = RecordKind::Delivered,
               .vector = 0xFF,
               .detail = static_cast<u8>(DeliveryKind::External)});
    if (ended != ~u64{0}) story.eoi(ended, ended != 0 ? 0x30 : 0, 0);
    story.add({.frame = 0x8000, .kind = RecordKind::Returned, .vector = 0xFF});
  }
};

TEST_F(SpuriousVector, an_eoi_for_the_local_apics_spurious_vector_is_a_warning) {
  spurious(0);
  EXPECT_THAT(found(), ElementsAre("warning spurious-mishandled"));
}

TEST_F(SpuriousVector, an_eoi_that_ends_another_one_is_an_error) {
  story.local(7, ApicPin::Timer, 0x30, 0).take(7, 0x30, 0);
  spurious(7);
  ASSERT_THAT(found(), ElementsAre("error spurious-mishandled"));
  EXPECT_THAT(findings[0].sentence, HasSubstr("it has ended vector 0x30 instead"));
}

TEST_F(SpuriousVector, without_eoi_all_is_well) {
  spurious(~u64{0});
  EXPECT_THAT(found(), IsEmpty());
}

struct EndsWithoutService : testing::Test, ApicBench<WrittenEnds> {};

TEST_F(EndsWithoutService, an_8259_eoi_in_a_handler_of_the_local_apic_is_left_to_the_rule_for_it) {
  story.raise(1, 4).io_apic(1, 4, 0x34, 0).take(1, 0x34, 0);
  story.add(
      {.address = ApicStory::culprit, .kind = RecordKind::EndOfInterrupt, .pin = 0xFF, .source = ApicStory::pic0});
  EXPECT_THAT(found(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
