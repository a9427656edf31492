#include "observe/check/rules/rule_bench.hpp"

namespace vitrine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct StaleSelectorTest : RuleBench {
  static constexpr u64 new_gdt = 0x1400, pointer = 0x1300, lgdt = program;
  static constexpr u16 handler_code = 0x80;

  StaleSelectorTest() {
    protected_mode();
    set_descriptor(handler_code, descriptor(0, 0xFFFFF, 0x9B, 0xC));
    std::memcpy(ram.get() + new_gdt, ram.get() + gdt, 0x100);
    store<u16>(pointer, 0xFF);
    store<u32>(pointer + 2, new_gdt);
    set_gate(0x40, 0x8E, handler_code);
    set_gate(13, 0x8E, handler_code);
    put(handler(0x40), {0xCF});
    put(program, {0x0F, 0x01, 0x15, 0x00, 0x13, 0x00, 0x00, 0xFB, 0x90, 0x90, 0xF4});  // LGDT [pointer]; STI...
  }
};

TEST_F(StaleSelectorTest, an_iret_that_fails_on_the_old_code_selector_names_the_lgdt) {
  store(new_gdt + code0, descriptor(0, 0xFFFFF, 0x93, 0xC));
  interrupt();
  EXPECT_TRUE(in_handler(13));
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].rule, "stale-selector");
  EXPECT_EQ(found[0].severity, FindingSeverity::Error);
  EXPECT_EQ(found[0].address, lgdt);
  EXPECT_EQ(found[0].vector, 0x40);
  EXPECT_THAT(found[0].sentence, HasSubstr("CS 0x0008 is stale since the LGDT"));
}

TEST_F(StaleSelectorTest, a_frame_with_a_stale_selector_that_nobody_returns_through_is_a_warning) {
  store(new_gdt + code0, u64{0});
  put(handler(0x40), {0xF4});
  interrupt();
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].severity, FindingSeverity::Warning);
}

TEST_F(StaleSelectorTest, a_new_table_with_the_same_segments_is_no_finding) {
  interrupt();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(StaleSelectorTest, a_reload_before_the_first_delivery_silences) {
  store(new_gdt + code0, u64{0});
  // LGDT; JMP handler_code:next; STI; NOP; NOP; HLT
  put(program + 7, {0xEA, 0x0E, 0x00, 0x01, 0x00, handler_code, 0x00, 0xFB, 0x90, 0x90, 0xF4});
  interrupt();
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(StaleSelectorTest, a_null_stack_selector_is_good_for_64_bit_kernel_code) {
  long_mode();
  set_long_gate(0x40);
  put(handler(0x40), {0x48, 0xCF});
  cpu->state.segments[ss].selector = 0;
  cpu->state.segments[ss].usable = false;
  sanitizer.table_loaded(*cpu, ProbedTable::Gdt, 0x10);
  interrupted_program();
  interrupt();
  EXPECT_TRUE(cpu->state.halted);
  EXPECT_THAT(findings(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
