#include "observe/check/rules/rule_bench.hpp"

namespace vitrine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct ClobberedRegisterTest : RuleBench {
  ClobberedRegisterTest() {
    protected_mode();
    set_gate(0x40);
    interrupted_program();
    reg(rbx) = 0x1234;
  }
};

TEST_F(ClobberedRegisterTest, a_register_that_the_handler_does_not_save_is_found_with_its_writer) {
  put(handler(0x40), {0x90, 0xBB, 5, 0, 0, 0, 0xCF});  // NOP; MOV EBX, 5; IRET
  interrupt();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].rule, "clobbered-register");
  EXPECT_EQ(found[0].severity, FindingSeverity::Error);
  EXPECT_EQ(found[0].address, handler(0x40) + 1);
  EXPECT_EQ(found[0].vector, 0x40);
  EXPECT_EQ(found[0].id, 77u);
  EXPECT_THAT(found[0].sentence, HasSubstr("changes EBX"));
  EXPECT_THAT(found[0].sentence, HasSubstr("had 0x1234 there and gets 0x5 back"));
}

TEST_F(ClobberedRegisterTest, the_writer_is_found_in_a_function_that_the_handler_calls) {
  put(handler(0x40), {0xE8, 0xFB, 0, 0, 0, 0xCF});       // CALL +0x100; IRET
  put(handler(0x40) + 0x100, {0xBB, 5, 0, 0, 0, 0xC3});  // MOV EBX, 5; RET
  interrupt();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].address, handler(0x40) + 0x100);
}

TEST_F(ClobberedRegisterTest, a_data_segment_that_is_not_restored_is_found) {
  put(handler(0x40), {0x6A, 0, 0x07, 0xCF});  // PUSH 0; POP ES; IRET
  interrupt();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].sentence, HasSubstr("returns with ES changed"));
}

TEST_F(ClobberedRegisterTest, a_register_that_is_restored_is_no_finding) {
  put(handler(0x40), {0x53, 0xBB, 5, 0, 0, 0, 0x5B, 0xCF});  // PUSH EBX; MOV EBX, 5; POP EBX; IRET
  interrupt();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(ClobberedRegisterTest, an_edited_frame_silences) {
  // MOV EBX, 5; INC DWORD [ESP]: past the NOP; IRET
  put(handler(0x40), {0xBB, 5, 0, 0, 0, 0xFF, 0x04, 0x24, 0xCF});
  interrupt();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(ClobberedRegisterTest, a_software_interrupt_may_answer_in_registers) {
  put(handler(0x40), {0xBB, 5, 0, 0, 0, 0xCF});
  put(program, {0xCD, 0x40, 0xF4});
  run();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(ClobberedRegisterTest, in_64_bit_code_all_sixteen_registers_count_and_data_segments_do_not) {
  long_mode();
  set_long_gate(0x40);
  put(handler(0x40), {0x6A, 0, 0x8E, 0x04, 0x24, 0x58 + 0, 0x48, 0xCF});  // PUSH 0; MOV ES, [RSP]; POP RAX; IRETQ
  reg(rax) = 0;
  interrupt();
  put(handler(0x40), {0x41, 0xB9, 7, 0, 0, 0, 0x48, 0xCF});  // MOV R9D, 7; IRETQ
  cpu->state.halted = false;
  cpu->state.rip = program;
  cpu->state_changed();
  interrupt();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].sentence, HasSubstr("changes R9"));
}

TEST_F(ClobberedRegisterTest, code_that_ran_in_between_makes_it_a_warning) {
  const ProbedDelivery older{.vector = 0x80,
                             .kind = DeliveryKind::Software,
                             .frame = 0x7F00,
                             .slot_size = 4,
                             .slots = 3,
                             .before = {.rip = 0x11000, .rsp = 0x7F0C, .cs = code0}};
  const ProbedDelivery timer{.vector = 0x40,
                             .kind = DeliveryKind::External,
                             .frame = 0x7E00,
                             .slot_size = 4,
                             .slots = 3,
                             .before = {.rip = 0x12000, .rsp = 0x7E0C, .cs = code0}};
  deliver(older);
  deliver(timer);
  leave(older.frame, 4);  // the handler has switched to the older context
  reg(rbx) = 9;
  leave(timer.frame, 4);
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].severity, FindingSeverity::Warning);
}

}  // namespace
}  // namespace vitrine
