#include "observe/check/rules/rule_bench.hpp"

namespace vitrine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct FrameLayoutTest : RuleBench {
  FrameLayoutTest() {
    protected_mode();
    set_gate(0x40);
    set_gate(11);
    set_gate(13);
    put(program, {0xB8, absent, 0, 0, 0, 0x8E, 0xD8, 0xF4});  // MOV EAX, absent; MOV DS, EAX: #NP; HLT
  }
};

TEST_F(FrameLayoutTest, an_error_code_that_is_left_on_the_stack_is_found_at_the_iret) {
  put(handler(11), {0xB8, data0, 0, 0, 0, 0xCF});  // MOV EAX, data0; IRET
  run();
  EXPECT_TRUE(in_handler(13));
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].rule, "frame-layout");
  EXPECT_EQ(found[0].severity, FindingSeverity::Error);
  EXPECT_EQ(found[0].address, handler(11) + 5);
  EXPECT_EQ(found[0].vector, 11);
  EXPECT_EQ(found[0].sentence, address_mark(handler(11)) +
                                   " returns with the error code still on the stack: IRET "
                                   "takes the error code 0x48 for the return address");
}

TEST_F(FrameLayoutTest, an_error_code_that_is_taken_off_is_no_finding) {
  put(handler(11), {0xB8, data0, 0, 0, 0, 0x83, 0xC4, 0x04, 0xCF});  // ...; ADD ESP, 4; IRET
  run();
  EXPECT_TRUE(cpu->state.halted);
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(FrameLayoutTest, an_error_code_that_was_never_pushed_and_is_taken_off_is_found) {
  interrupted_program();
  put(handler(0x40), {0x83, 0xC4, 0x04, 0xCF});  // ADD ESP, 4; IRET
  interrupt();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].sentence, HasSubstr("takes an error code off the stack that vector 0x40 does not push"));
  EXPECT_THAT(found[0].sentence, HasSubstr("IRET takes CS 0x8 for the return address"));
}

TEST_F(FrameLayoutTest, two_words_of_the_entry_left_on_the_stack_are_found) {
  interrupted_program();
  put(handler(0x40), {0x6A, 0, 0x6A, 0x40, 0xCF});  // PUSH 0; PUSH 0x40; IRET
  interrupt();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].sentence, HasSubstr("returns with two words of its own still on the stack"));
}

TEST_F(FrameLayoutTest, a_32_bit_iret_in_64_bit_code_is_found) {
  long_mode();
  set_long_gate(0x40);
  set_long_gate(13);
  interrupted_program();
  put(handler(0x40), {0xCF});  // IRETD
  interrupt();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].sentence, HasSubstr("an IRET of 4-byte words from a frame of 8-byte words"));
}

TEST_F(FrameLayoutTest, a_frame_that_the_kernel_made_up_is_no_finding) {
  // PUSHF; PUSH CS; PUSH program + 10; IRET; NOP...; HLT
  put(program, {0x9C, 0x0E, 0x68, 0x0A, 0x00, 0x01, 0x00, 0xCF, 0x90, 0x90, 0xF4});
  run();
  EXPECT_TRUE(cpu->state.halted);
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(FrameLayoutTest, a_frame_that_the_handler_has_moved_is_no_finding) {
  interrupted_program();
  // PUSH [ESP+8] three times; IRET: the same words, twelve bytes lower
  put(handler(0x40), {0xFF, 0x74, 0x24, 0x08, 0xFF, 0x74, 0x24, 0x08, 0xFF, 0x74, 0x24, 0x08, 0xCF});
  interrupt();
  EXPECT_TRUE(cpu->state.halted);
  EXPECT_THAT(findings(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
