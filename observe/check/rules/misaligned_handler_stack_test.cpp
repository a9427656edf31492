#include "observe/check/rules/rule_bench.hpp"

namespace vitrine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct MisalignedHandlerStackTest : RuleBench {
  static constexpr u64 function = handler(0x40) + 0x100;

  MisalignedHandlerStackTest() {
    long_mode();
    cpu->state.cr4 |= cr4_bit::osfxsr;
    cpu->state_changed();
    set_long_gate(0x40);
    set_long_gate(13);
    put(handler(0x40), {0xE8, 0xFB, 0, 0, 0, 0x48, 0xCF});  // CALL function; IRETQ
    interrupted_program();
  }
};

TEST_F(MisalignedHandlerStackTest, an_aligned_access_that_faults_names_the_call) {
  put(function, {0x48, 0x83, 0xEC, 0x18, 0x0F, 0x29, 0x04, 0x24});  // SUB RSP, 24; MOVAPS [RSP], XMM0
  interrupt();
  EXPECT_TRUE(in_handler(13));
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].rule, "misaligned-handler-stack");
  EXPECT_EQ(found[0].severity, FindingSeverity::Error);
  EXPECT_EQ(found[0].address, handler(0x40));
  EXPECT_EQ(found[0].vector, 0x40);
  EXPECT_THAT(found[0].sentence, HasSubstr("the aligned access at " + address_mark(function + 4)));
}

TEST_F(MisalignedHandlerStackTest, an_aligned_access_that_was_not_reached_is_a_warning) {
  // TEST EAX, EAX; JZ +4; MOVAPS [RSP], XMM0; RET
  put(function, {0x85, 0xC0, 0x74, 0x04, 0x0F, 0x29, 0x04, 0x24, 0xC3});
  interrupt();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].severity, FindingSeverity::Warning);
}

TEST_F(MisalignedHandlerStackTest, code_without_aligned_accesses_may_be_called) {
  put(function, {0xC3});
  interrupt();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(MisalignedHandlerStackTest, an_aligned_call_is_no_finding) {
  // PUSH RAX; CALL function; POP RAX; IRETQ
  put(handler(0x40), {0x50, 0xE8, 0xFA, 0, 0, 0, 0x58, 0x48, 0xCF});
  // SUB RSP, 24; MOVAPS [RSP], XMM0; ADD RSP, 24; RET
  put(function, {0x48, 0x83, 0xEC, 0x18, 0x0F, 0x29, 0x04, 0x24, 0x48, 0x83, 0xC4, 0x18, 0xC3});
  interrupt();
  EXPECT_TRUE(cpu->state.halted);
  EXPECT_THAT(findings(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
