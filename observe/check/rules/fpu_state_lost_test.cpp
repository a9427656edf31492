#include "observe/check/rules/rule_bench.hpp"

namespace vitrine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct FpuStateLostTest : RuleBench {
  FpuStateLostTest() {
    protected_mode();
    set_gate(0x40);
    cpu->state.cr4 |= cr4_bit::osfxsr;
    cpu->state.fpu.xmm[0] = {.low = 42, .high = 1};
    cpu->state_changed();
    put(handler(0x40), {0x0F, 0x57, 0xC0, 0xCF});  // XORPS XMM0, XMM0; IRET
  }
};

TEST_F(FpuStateLostTest, a_vector_register_that_kernel_code_reads_next_is_found) {
  interrupted_program({0x0F, 0x28, 0xC8});  // MOVAPS XMM1, XMM0
  interrupt();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].rule, "fpu-state-lost");
  EXPECT_EQ(found[0].severity, FindingSeverity::Error);
  EXPECT_EQ(found[0].address, handler(0x40));
  EXPECT_THAT(found[0].sentence, HasSubstr("changes XMM0"));
  EXPECT_THAT(found[0].sentence, HasSubstr("reads it next at " + address_mark(program + 3)));
}

TEST_F(FpuStateLostTest, a_register_that_kernel_code_does_not_read_may_change) {
  interrupted_program();
  interrupt();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(FpuStateLostTest, a_register_that_kernel_code_writes_first_may_change) {
  interrupted_program({0x0F, 0x57, 0xC0, 0x0F, 0x28, 0xC8});  // XORPS XMM0, XMM0; MOVAPS XMM1, XMM0
  interrupt();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(FpuStateLostTest, with_ts_set_the_registers_are_nobodys) {
  cpu->state.cr0 |= cr0_bit::ts;
  interrupted_program({0x0F, 0x06, 0x0F, 0x28, 0xC8});       // CLTS; MOVAPS XMM1, XMM0
  put(handler(0x40), {0x0F, 0x06, 0x0F, 0x57, 0xC0, 0xCF});  // CLTS; XORPS XMM0, XMM0; IRET
  interrupt();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(FpuStateLostTest, a_programs_state_counts_whatever_it_does_next) {
  set_gate(0x40);
  put(handler(0x40), {0x0F, 0x57, 0xC0, 0xCF});
  enter(code3, data3, user_stack);
  cpu->state.other_flags |= flag::interrupt;
  put(program, {0x90, 0x90, 0xEB, 0xFE});  // NOP; NOP; a loop
  raise_interrupt();
  run(20);
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].sentence, HasSubstr("the program that was interrupted"));
}

TEST_F(FpuStateLostTest, x87_state_that_kernel_code_reads_next_is_found) {
  cpu->state.fpu.valid = 0;
  interrupted_program({0xD9, 0xC0});       // FLD ST(0)
  put(handler(0x40), {0xD9, 0xE8, 0xCF});  // FLD1; IRET
  interrupt();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].sentence, HasSubstr("changes the x87 registers"));
}

TEST_F(FpuStateLostTest, exception_flags_may_be_cleared) {
  cpu->state.fpu.valid = 0xFF;
  cpu->state.fpu.status = 0x0004;
  interrupted_program({0xD9, 0xC0});       // FLD ST(0)
  put(handler(0x40), {0xDB, 0xE2, 0xCF});  // FNCLEX; IRET
  interrupt();
  EXPECT_THAT(findings(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
