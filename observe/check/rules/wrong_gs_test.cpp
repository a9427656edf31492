#include "observe/check/rules/rule_bench.hpp"

namespace vitrine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct WrongGsTest : RuleBench {
  static constexpr u64 user_base = 0x5000, kernel_base = 0x6000;

  WrongGsTest() {
    long_mode();
    set_long_gate(0x40);
    enter(long_code3, long_data3, user_stack);
    cpu->state.other_flags |= flag::interrupt;
    cpu->state.segments[gs].base = user_base;
    cpu->state.kernel_gs_base = kernel_base;
    put(program, {0x90, 0x90, 0xEB, 0xFE});
  }
  void kernel_has_executed_swapgs() { sanitizer.gs_changed(*cpu, 0x1F000, CpuProbe::GsChange::Swapped); }
  void interrupt_program() {
    raise_interrupt();
    run(20);
  }
};

TEST_F(WrongGsTest, gs_used_before_swapgs_is_found) {
  put(handler(0x40), {0x65, 0xFF, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0xCF});  // INC DWORD GS:[0]; IRETQ
  kernel_has_executed_swapgs();
  interrupt_program();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].rule, "wrong-gs");
  EXPECT_EQ(found[0].severity, FindingSeverity::Error);
  EXPECT_EQ(found[0].address, handler(0x40));
  EXPECT_THAT(found[0].sentence, HasSubstr("holds the program's base (0x5000), not the kernel's (0x6000)"));
}

TEST_F(WrongGsTest, gs_used_between_two_swapgs_is_no_finding) {
  // SWAPGS; INC DWORD GS:[0]; SWAPGS; IRETQ
  put(handler(0x40), {0x0F, 0x01, 0xF8, 0x65, 0xFF, 0x04, 0x25, 0, 0, 0, 0, 0x0F, 0x01, 0xF8, 0x48, 0xCF});
  kernel_has_executed_swapgs();
  interrupt_program();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(WrongGsTest, a_kernel_that_never_executes_swapgs_may_share_gs) {
  put(handler(0x40), {0x65, 0xFF, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0xCF});
  interrupt_program();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(WrongGsTest, a_missing_swapgs_on_the_way_out_is_found) {
  put(handler(0x40), {0x0F, 0x01, 0xF8, 0x48, 0xCF});  // SWAPGS; IRETQ
  interrupt_program();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].address, handler(0x40) + 3);
  EXPECT_THAT(found[0].sentence, HasSubstr("returns to the program with the kernel's GS base"));
}

TEST_F(WrongGsTest, an_odd_swapgs_in_a_handler_that_interrupted_the_kernel_is_found) {
  enter(long_code0, long_data0, kernel_stack);
  cpu->state.segments[gs].base = kernel_base;
  cpu->state.kernel_gs_base = user_base;
  interrupted_program();
  put(handler(0x40), {0x0F, 0x01, 0xF8, 0x48, 0xCF});
  interrupt();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].sentence, HasSubstr("an odd number of times"));
}

}  // namespace
}  // namespace vitrine
