#include "observe/check/rules/unremapped_pic.hpp"

#include "observe/check/rules/pic_bench.hpp"

namespace vitrine {
namespace {

using namespace bench;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Bench = PicBench<UnremappedPic>;

constexpr u64 sti = 0x10'0000'0000;

void interrupts_on(Bench& bench, u64 by = sti) {
  bench.add({.other = by, .kind = RecordKind::InterruptsOff, .source = cpu0});
}
void firmware_vectors(Bench& bench) { bench.mode(pic0, ControllerRegister::VectorBase, 8, 0); }

TEST(UnremappedPic, a_timer_as_double_fault_is_an_error_at_the_sti_that_let_it_in) {
  Bench bench;
  firmware_vectors(bench);
  interrupts_on(bench);
  bench.raise(1, 0, pit).take(1, 0, 0, 8).finish(10 * ms);
  ASSERT_THAT(bench.found(), ElementsAre("error unremapped-pic"));
  EXPECT_EQ(bench.findings[0].sentence,
            "the first 8259 was never remapped, its vectors begin at 0x08 as the firmware left them, so IRQ 0 (timer) "
            "arrived as vector 8, which is double fault (#DF)");
  EXPECT_EQ(bench.findings[0].address, sti);
}

TEST(UnremappedPic, an_open_line_that_nothing_came_of_is_a_warning) {
  Bench bench;
  firmware_vectors(bench);
  interrupts_on(bench);
  bench.finish(10 * ms);
  EXPECT_THAT(bench.found(), ElementsAre("warning unremapped-pic"));
}

TEST(UnremappedPic, with_every_line_masked_the_vectors_do_not_matter) {
  Bench bench;
  firmware_vectors(bench);
  bench.mask(pic0, 0xFF);
  interrupts_on(bench);
  bench.finish(10 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(UnremappedPic, vectors_from_32_on_are_right) {
  Bench bench;
  interrupts_on(bench);
  bench.raise(1, 0, pit).take(1, 0).finish(10 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

TEST(UnremappedPic, real_mode_and_virtual_8086_code_are_not_judged) {
  for (const unsigned bit : {delivered_in_real_mode, delivered_from_virtual_8086}) {
    Bench bench;
    firmware_vectors(bench);
    interrupts_on(bench, 0x7C10);
    bench.raise(1, 0, pit).take(1, 0, u64{1} << bit, 8).finish(10 * ms);
    EXPECT_THAT(bench.found(), IsEmpty());
  }
}

TEST(UnremappedPic, exceptions_and_int_n_are_what_those_vectors_are_for) {
  Bench bench;
  bench.enter(1, 14, 0x2000, 0, DeliveryKind::Fault).leave(1, 14).enter(2, 3, 0x2000, 0, DeliveryKind::Software);
  bench.finish(10 * ms);
  EXPECT_THAT(bench.found(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
