#include "observe/check/rules/ended_interrupts.hpp"

#include "observe/check/rules/pic_bench.hpp"

namespace vitrine {
namespace {

using namespace bench;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Bench = PicBench<EndedInterrupts>;

/// The keyboard's handler has returned without an EOI, and COM1 asks.
void keyboard_stuck(Bench& bench) { bench.raise(1, 1, i8042).take(1, 1).leave(1, 0x21).raise(2, 4); }

TEST(MissingEoi, a_request_that_waits_for_good_behind_a_handler_without_eoi_is_an_error) {
  Bench bench;
  keyboard_stuck(bench);
  bench.finish(20 * ms);
  ASSERT_THAT(bench.found(), ElementsAre("error missing-eoi"));
  EXPECT_THAT(bench.findings[0].sentence,
              HasSubstr("@{0x1001} returned without ending IRQ 1 (keyboard): the first 8259 "
                        "has it in service since 0.000000 s, and IRQ 4 (COM1) waits"));
  EXPECT_EQ(bench.findings[0].line, 1);
}

TEST(MissingEoi, it_is_told_during_the_run_when_no_eoi_comes_for_long) {
  Bench bench;
  keyboard_stuck(bench);
  bench.at(120 * ms).raise(3, 0, pit);
  EXPECT_THAT(bench.found(), ElementsAre("error missing-eoi"));
}

TEST(MissingEoi, an_eoi_that_comes_late_makes_it_a_warning) {
  Bench bench;
  keyboard_stuck(bench);
  bench.at(50 * ms).eoi(1, 1).finish(200 * ms);
  EXPECT_THAT(bench.found(), ElementsAre("warning missing-eoi"));
}

TEST(MissingEoi, an_eoi_that_comes_before_anybody_has_waited_for_long_is_none) {
  Bench bench;
  keyboard_stuck(bench);
  bench.at(5 * ms).eoi(1, 1, EndKind::Specific).finish(200 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(MissingEoi, nobody_waits_then_it_is_none) {
  Bench bench;
  bench.raise(1, 1, i8042).take(1, 1).leave(1, 0x21).raise(2, 0, pit).take(2, 0).eoi(2, 0).leave(2, 0x20);
  bench.finish(500 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(MissingEoi, a_masked_request_does_not_wait_behind_it) {
  Bench bench;
  bench.mask(pic0, 1 << 4);
  keyboard_stuck(bench);
  bench.finish(500 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(MissingEoi, special_mask_mode_lets_others_pass) {
  Bench bench;
  bench.mode(pic0, ControllerRegister::SpecialMask, 1).mask(pic0, 1 << 1);
  keyboard_stuck(bench);
  bench.finish(500 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(MissingEoi, automatic_eoi_leaves_nothing_in_service) {
  Bench bench;
  bench.raise(1, 1, i8042);
  bench.add({.id = 1, .kind = RecordKind::Acknowledged, .vector = 0x21, .pin = 1, .source = pic0});
  bench.add({.id = 1, .kind = RecordKind::InService, .pin = 1, .source = pic0});
  bench.eoi(1, 1, EndKind::Automatic).enter(1, 0x21, 0x1001).leave(1, 0x21).raise(2, 4).finish(500 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(MissingEoi, a_handler_that_still_runs_has_not_forgotten_anything) {
  Bench bench;
  bench.raise(1, 1, i8042).take(1, 1).raise(2, 4).finish(500 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(MissingEoi, real_mode_is_not_judged) {
  Bench bench;
  bench.raise(1, 1, i8042).take(1, 1, u64{1} << delivered_in_real_mode).leave(1, 0x21).raise(2, 4).finish(500 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(MissingEoi, time_with_interrupts_off_does_not_count) {
  Bench bench;
  keyboard_stuck(bench);
  bench.at(20 * ms).add(
      {.address = 0x600, .other = 0x601, .since = 10, .kind = RecordKind::InterruptsOff, .source = cpu0});
  bench.finish(20 * ms + 5000);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(MissingEoi, halted_for_good_with_interrupts_on_is_for_ever) {
  Bench bench;
  keyboard_stuck(bench);
  bench.add({.kind = RecordKind::Halted, .detail = 1, .source = cpu0}).finish(1 * ms, "halted");
  EXPECT_THAT(bench.found(), ElementsAre("error missing-eoi"));
}

TEST(MissingEoi, an_eoi_that_ended_another_interrupt_is_evidence) {
  Bench bench;
  bench.raise(1, 4).take(1, 4).raise(2, 1, i8042).take(2, 1).leave(2, 0x21).eoi(2, 1).leave(1, 0x24).raise(3, 4);
  bench.finish(50 * ms);
  ASSERT_THAT(bench.found(), ElementsAre("error missing-eoi"));
  EXPECT_THAT(bench.findings[0].evidence, Contains(HasSubstr("its EOI at @{0x900} ended IRQ 1 instead")));
}

TEST(EoiHalfCascade, an_eoi_to_the_second_alone_leaves_the_first_blocked) {
  Bench bench;
  bench.raise(1, 12, i8042).take(1, 12).eoi(1, 12).leave(1, 0x2C).raise(2, 4).finish(50 * ms);
  ASSERT_THAT(bench.found(), ElementsAre("error eoi-half-cascade"));
  EXPECT_THAT(
      bench.findings[0].sentence,
      HasSubstr("@{0x100c} ended IRQ 12 (mouse) at the second 8259 only: the first 8259 has its cascade input"));
}

TEST(EoiHalfCascade, an_eoi_to_the_first_alone_leaves_the_second_blocked) {
  Bench bench;
  bench.raise(1, 12, i8042).take(1, 12).eoi(1, 2).leave(1, 0x2C).raise(2, 12, i8042).finish(50 * ms);
  ASSERT_THAT(bench.found(), ElementsAre("error eoi-half-cascade"));
  EXPECT_THAT(bench.findings[0].sentence, HasSubstr("at the first 8259 only: the second 8259 has it in service"));
}

TEST(EoiHalfCascade, that_stays_so_without_anybody_waiting_is_a_warning) {
  Bench bench;
  bench.raise(1, 12, i8042).take(1, 12).eoi(1, 12).leave(1, 0x2C).finish(50 * ms);
  EXPECT_THAT(bench.found(), ElementsAre("warning eoi-half-cascade"));
}

TEST(EoiHalfCascade, no_eoi_at_all_is_a_missing_one) {
  Bench bench;
  bench.raise(1, 12, i8042).take(1, 12).leave(1, 0x2C).raise(2, 4).finish(50 * ms);
  EXPECT_THAT(bench.found(), ElementsAre("error missing-eoi"));
}

TEST(EoiHalfCascade, fully_nested_the_first_keeps_its_bit_while_the_second_serves_another) {
  Bench bench;
  bench.mode(pic0, ControllerRegister::SpecialFullyNested, 1);
  bench.raise(1, 12, i8042).take(1, 12).raise(2, 8, rtc).take(2, 8).eoi(2, 8).leave(2, 0x28);
  bench.at(20 * ms).eoi(1, 12).eoi(2, 2).leave(1, 0x2C).raise(3, 4).finish(50 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(EoiHalfCascade, the_first_one_ending_automatically_needs_no_eoi) {
  Bench bench;
  bench.raise(1, 12, i8042).take(1, 12).eoi(1, 2, EndKind::Automatic).eoi(1, 12).leave(1, 0x2C).raise(2, 4);
  bench.finish(50 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(EoiAfterSwitch, returning_through_an_older_frame_before_the_eoi_is_a_warning) {
  Bench bench;
  bench.raise(1, 0, pit).take(1, 0).eoi(1, 0);       // thread A, switched away from
  bench.raise(2, 0, pit).take(2, 0).leave(1, 0x20);  // thread B's tick goes on with A
  bench.at(2 * ms).leave(2, 0x20).eoi(2, 0).finish(50 * ms);
  ASSERT_THAT(bench.found(), ElementsAre("warning eoi-after-switch"));
  EXPECT_THAT(bench.findings[0].sentence, HasSubstr("handed the CPU to other code before ending IRQ 0 (timer)"));
}

TEST(EoiAfterSwitch, with_a_request_waiting_it_is_an_error) {
  Bench bench;
  bench.raise(1, 0, pit).take(1, 0).eoi(1, 0).raise(2, 0, pit).take(2, 0).leave(1, 0x20).raise(3, 1, i8042);
  bench.finish(50 * ms);
  EXPECT_THAT(bench.found(), ElementsAre("error eoi-after-switch"));
}

TEST(EoiAfterSwitch, an_eoi_before_the_switch_is_right) {
  Bench bench;
  bench.raise(1, 0, pit).take(1, 0).eoi(1, 0).raise(2, 0, pit).take(2, 0).eoi(2, 0).leave(1, 0x20);
  bench.raise(3, 1, i8042).finish(50 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(EoiAfterSwitch, a_fault_inside_the_handler_is_no_switch) {
  Bench bench;
  bench.raise(1, 0, pit).take(1, 0).enter(2, 14, 0x2000, 0, DeliveryKind::Fault).leave(2, 14).eoi(1, 0).leave(1, 0x20);
  bench.finish(50 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
