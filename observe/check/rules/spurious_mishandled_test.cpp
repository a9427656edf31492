#include "observe/check/rules/spurious_mishandled.hpp"

#include "observe/check/rules/pic_bench.hpp"

namespace vitrine {
namespace {

using namespace bench;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Bench = PicBench<SpuriousMishandled>;

void spurious_7(Bench& bench) {
  bench.add({.kind = RecordKind::Spurious, .vector = 0x27, .pin = 7, .detail = 1, .source = pic0});
  bench.enter(0, 0x27, 0x1007);
}
void spurious_15(Bench& bench) {
  bench.add({.kind = RecordKind::Spurious, .vector = 0x2F, .pin = 15, .detail = 2, .source = pic1});
  bench.add({.kind = RecordKind::InService, .pin = 2, .source = pic0}).enter(0, 0x2F, 0x100F);
}

TEST(SpuriousMishandled, an_eoi_for_a_spurious_seven_ends_another_interrupt) {
  Bench bench;
  bench.raise(1, 3).take(1, 3);
  spurious_7(bench);
  bench.eoi(1, 3);
  ASSERT_THAT(bench.found(), ElementsAre("error spurious-mishandled"));
  EXPECT_THAT(bench.findings[0].sentence, HasSubstr("it has ended IRQ 3 (COM1) instead"));
}

TEST(SpuriousMishandled, an_eoi_that_ends_nothing_is_a_warning) {
  Bench bench;
  spurious_7(bench);
  bench.idle_eoi(pic0);
  EXPECT_THAT(bench.found(), ElementsAre("warning spurious-mishandled"));
}

TEST(SpuriousMishandled, no_eoi_for_a_spurious_seven_is_right) {
  Bench bench;
  spurious_7(bench);
  bench.leave(0, 0x27);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(SpuriousMishandled, a_spurious_fifteen_needs_the_eoi_of_the_first_chip) {
  Bench bench;
  spurious_15(bench);
  bench.leave(0, 0x2F);
  ASSERT_THAT(bench.found(), ElementsAre("error spurious-mishandled"));
  EXPECT_THAT(bench.findings[0].sentence, HasSubstr("without an EOI to the first 8259"));
}

TEST(SpuriousMishandled, and_no_other) {
  Bench bench;
  spurious_15(bench);
  bench.eoi(0, 2).leave(0, 0x2F);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(SpuriousMishandled, an_eoi_to_the_second_chip_for_a_spurious_fifteen_is_a_warning) {
  Bench bench;
  spurious_15(bench);
  bench.idle_eoi(pic1).eoi(0, 2).leave(0, 0x2F);
  EXPECT_THAT(bench.found(), ElementsAre("warning spurious-mishandled"));
}

TEST(SpuriousMishandled, automatic_eoi_needs_none_and_minds_none) {
  Bench bench;
  bench.mode(pic0, ControllerRegister::Automatic, 1);
  spurious_7(bench);
  bench.idle_eoi(pic0).leave(0, 0x27);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(SpuriousMishandled, a_real_seven_is_ended) {
  Bench bench;
  bench.raise(1, 7).take(1, 7).eoi(1, 7).leave(1, 0x27);
  EXPECT_THAT(bench.found(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
