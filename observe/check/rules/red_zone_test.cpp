#include "observe/check/rules/rule_bench.hpp"

namespace vitrine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct RedZoneTest : RuleBench {
  RedZoneTest() {
    long_mode();
    set_long_gate(0x40);
    put(handler(0x40), {0x48, 0xCF});
  }
};

TEST_F(RedZoneTest, what_the_frame_overwrote_and_the_code_reads_is_found) {
  interrupted_program({0x48, 0x8B, 0x44, 0x24, 0xF8});  // MOV RAX, [RSP-8]
  interrupt();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].rule, "red-zone");
  EXPECT_EQ(found[0].severity, FindingSeverity::Error);
  EXPECT_EQ(found[0].address, program + 3);
  EXPECT_THAT(found[0].sentence, HasSubstr("8 bytes below the stack pointer"));
  EXPECT_THAT(found[0].sentence, HasSubstr("with its frame"));
}

TEST_F(RedZoneTest, what_the_handler_overwrote_is_found_through_rbp_and_behind_a_branch) {
  // TEST EAX, EAX; JNZ +1; NOP; MOV RAX, [RBP-0x50]
  interrupted_program({0x85, 0xC0, 0x75, 0x01, 0x90, 0x48, 0x8B, 0x45, 0xB0});
  reg(rbp) = kernel_stack;
  put(handler(0x40), {0x48, 0xC7, 0x44, 0x24, 0xD8, 7, 0, 0, 0, 0x48, 0xCF});  // MOV QWORD [RSP-0x28], 7; IRETQ
  interrupt();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].sentence, HasSubstr("in its handler"));
}

TEST_F(RedZoneTest, bytes_that_nobody_touched_may_be_read) {
  interrupted_program({0x48, 0x8B, 0x44, 0x24, 0x90});  // MOV RAX, [RSP-0x70]
  interrupt();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(RedZoneTest, bytes_that_are_written_first_may_be_read) {
  // MOV QWORD [RSP-8], 7; MOV RAX, [RSP-8]
  interrupted_program({0x48, 0xC7, 0x44, 0x24, 0xF8, 7, 0, 0, 0, 0x48, 0x8B, 0x44, 0x24, 0xF8});
  interrupt();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(RedZoneTest, a_handler_on_a_stack_of_its_own_harms_nobody) {
  set_long_gate(0x40, 0x8E, 1);
  put(handler(0x40), {0x48, 0xCF});
  store<u64>(tss + 36, 0x7000);
  interrupted_program({0x48, 0x8B, 0x44, 0x24, 0xF8});
  interrupt();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(RedZoneTest, behind_a_change_of_the_stack_pointer_nothing_is_said) {
  interrupted_program({0x48, 0x83, 0xEC, 0x10, 0x48, 0x8B, 0x44, 0x24, 0xF8});  // SUB RSP, 16; MOV RAX, [RSP-8]
  interrupt();
  EXPECT_THAT(findings(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
