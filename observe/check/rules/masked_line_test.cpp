#include "observe/check/rules/masked_line.hpp"

#include "observe/check/rules/pic_bench.hpp"

namespace vitrine {
namespace {

using namespace bench;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Bench = PicBench<MaskedLine>;

TEST(MaskedLine, a_line_that_was_open_and_waits_behind_its_mask_is_a_note) {
  Bench bench;
  bench.mask(pic0, 1).mask(pic0, 1 << 4).raise(1, 4).finish(1500 * ms);
  ASSERT_THAT(bench.found(), ElementsAre("note masked-line"));
  EXPECT_THAT(bench.findings[0].sentence, HasSubstr("@{0x500} masked IRQ 4 (COM1) at 0.000000 s, and it waits since"));
}

TEST(MaskedLine, one_that_was_never_open_is_nobodys) {
  Bench bench;
  bench.mask(pic0, 1 << 4).raise(1, 4).finish(1500 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(MaskedLine, the_clear_mask_of_an_initialisation_opens_nothing) {
  Bench bench;
  bench.mode(pic0, ControllerRegister::Initialised, 0).mask(pic0, 1).mask(pic0, 0);
  bench.mode(pic0, ControllerRegister::Initialised, 1).mask(pic0, 0xFF).raise(1, 4).finish(1500 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(MaskedLine, a_mask_for_less_than_a_second_is_a_handlers) {
  Bench bench;
  bench.mask(pic0, 1)
      .mask(pic0, 1 << 4)
      .raise(1, 4)
      .at(900 * ms)
      .mask(pic0, 0)
      .take(1, 4)
      .at(2000 * ms)
      .finish(3000 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(MaskedLine, a_device_that_the_guest_attends_to_is_polled) {
  Bench bench;
  bench.mask(pic0, 1).mask(pic0, 1 << 4).raise(1, 4);
  bench.add({.id = 1, .kind = RecordKind::Attended, .pin = 4, .source = com1}).finish(3000 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(MaskedLine, both_chips_masked_whole_are_not_in_use) {
  Bench bench;
  bench.mask(pic0, 1).mask(pic1, 1).mask(pic0, 0xFF).mask(pic1, 0xFF).raise(1, 4).raise(2, 12, i8042).finish(3000 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(MaskedLine, the_cascade_masked_with_a_request_behind_it_is_a_warning) {
  Bench bench;
  bench.mask(pic0, 1 << 2).raise(1, 12, i8042).finish(200 * ms);
  ASSERT_THAT(bench.found(), ElementsAre("warning masked-line"));
  EXPECT_THAT(bench.findings[0].sentence, HasSubstr("@{0x500} masked IR2 of the first 8259"));
}

TEST(MaskedLine, the_cascade_masked_for_a_moment_is_none) {
  Bench bench;
  bench.mask(pic0, 1 << 2).raise(1, 12, i8042).at(50 * ms).mask(pic0, 0).finish(3000 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(MaskedLine, a_polled_device_behind_the_masked_cascade_is_none) {
  Bench bench;
  bench.mask(pic0, 1 << 2).raise(1, 12, i8042);
  bench.add({.id = 1, .kind = RecordKind::Attended, .pin = 12, .source = i8042});
  bench.add({.id = 1, .kind = RecordKind::Withdrawn, .pin = 12, .source = pic1}).finish(3000 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
