#include "observe/check/rules/written_ends.hpp"

#include "observe/check/rules/pic_bench.hpp"

namespace vitrine {
namespace {

using namespace bench;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Bench = PicBench<WrittenEnds>;

TEST(EoiWrongBit, a_second_eoi_ends_the_handler_that_was_interrupted) {
  Bench bench;
  bench.raise(1, 1, i8042).take(1, 1).raise(2, 0, pit).take(2, 0).eoi(2, 0).eoi(1, 1, EndKind::NonSpecific, 0x910);
  bench.leave(2, 0x20).idle_eoi(pic0).leave(1, 0x21);
  ASSERT_THAT(bench.found(), ElementsAre("warning eoi-wrong-bit"));
  EXPECT_THAT(bench.findings[0].sentence,
              HasSubstr("@{0x910} ended IRQ 1 (keyboard) instead of IRQ 0 (timer), which had been ended before"));
}

TEST(EoiWrongBit, a_non_specific_eoi_ends_the_highest_in_service) {
  Bench bench;
  bench.raise(1, 4).take(1, 4).raise(2, 1, i8042).take(2, 1).leave(2, 0x21).eoi(2, 1);
  ASSERT_THAT(bench.found(), ElementsAre("warning eoi-wrong-bit"));
  EXPECT_THAT(bench.findings[0].sentence, HasSubstr("a non-specific EOI ends no other"));
}

TEST(EoiWrongBit, both_chips_of_a_cascaded_interrupt_are_its_own) {
  Bench bench;
  bench.raise(1, 12, i8042).take(1, 12).eoi(1, 12).eoi(1, 2).leave(1, 0x2C);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(EoiWrongBit, a_specific_eoi_means_what_it_ends) {
  Bench bench;
  bench.raise(1, 4).take(1, 4).raise(2, 1, i8042).take(2, 1).eoi(1, 4, EndKind::Specific).eoi(2, 1);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(EoiWrongBit, rotation_and_special_mask_mode_have_orders_of_their_own) {
  for (const auto which : {ControllerRegister::Rotation, ControllerRegister::SpecialMask}) {
    Bench bench;
    bench.mode(pic0, which, 1).raise(1, 4).take(1, 4).raise(2, 1, i8042).take(2, 1).leave(2, 0x21).eoi(2, 1);
    EXPECT_THAT(bench.found(), IsEmpty());
  }
}

TEST(EoiWithoutService, an_eoi_with_nothing_in_service_is_a_warning) {
  Bench bench;
  bench.idle_eoi(pic0);
  EXPECT_THAT(bench.found(), ElementsAre("warning eoi-without-service"));
}

TEST(EoiWithoutService, after_int_n_the_int_is_named) {
  Bench bench;
  bench.enter(1, 0x21, 0x1001, 0, DeliveryKind::Software).idle_eoi(pic0);
  ASSERT_THAT(bench.found(), ElementsAre("warning eoi-without-service"));
  EXPECT_THAT(bench.findings[0].sentence, HasSubstr("that INT 0x21 entered"));
}

TEST(EoiWithoutService, the_second_of_two_names_the_first) {
  Bench bench;
  bench.raise(1, 1, i8042).take(1, 1).eoi(1, 1, EndKind::NonSpecific, 0x910).idle_eoi(pic0);
  ASSERT_THAT(bench.found(), ElementsAre("warning eoi-without-service"));
  EXPECT_THAT(bench.findings[0].evidence[0], HasSubstr("0x910"));
}

TEST(EoiWithoutService, an_eoi_to_the_second_chip_for_a_line_of_the_first_is_named) {
  Bench bench;
  bench.raise(1, 1, i8042).take(1, 1).idle_eoi(pic1).eoi(1, 1);
  ASSERT_THAT(bench.found(), ElementsAre("warning eoi-without-service"));
  EXPECT_THAT(bench.findings[0].sentence, HasSubstr("to the second 8259 for IRQ 1 (keyboard), which is on the first"));
}

TEST(EoiWithoutService, automatic_eoi_has_nothing_to_end_and_loses_nothing) {
  Bench bench;
  bench.mode(pic0, ControllerRegister::Automatic, 1).idle_eoi(pic0);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(EoiWithoutService, that_of_a_polled_request_ends_it) {
  Bench bench;
  bench.raise(1, 1, i8042);
  bench.add({.id = 1, .kind = RecordKind::Acknowledged, .pin = 1, .detail = 1, .source = pic0});
  bench.add({.id = 1, .kind = RecordKind::InService, .pin = 1, .source = pic0}).eoi(1, 1);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(EoiWithoutService, real_mode_is_not_judged) {
  Bench bench;
  bench.raise(1, 1, i8042).take(1, 1, u64{1} << delivered_in_real_mode).eoi(1, 1).idle_eoi(pic0);
  EXPECT_THAT(bench.found(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
