#include "observe/check/rules/stack_rules.hpp"

#include "observe/check/rules/rule_bench.hpp"

namespace vitrine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct StackRulesTest : RuleBench {
  static constexpr u64 stack_top = 0x8000, frame = stack_top - 5 * 4, switch_away = 0x15000, switch_back = 0x15100;
  StackRulesTest() { protected_mode(); }

  static ProbedDelivery from_user(u64 request, u64 rip, u64 at = frame) {
    return {.request = request,
            .vector = 0x40,
            .kind = DeliveryKind::External,
            .frame = at,
            .slot_size = 4,
            .slots = 5,
            .stack_switched = true,
            .instruction = rip,
            .before = {.rip = rip, .rsp = 0x9000, .cs = code3, .ss = data3, .privilege = 3}};
  }
  static ProbedDelivery from_kernel(u64 request, u64 stack) {
    return {.request = request,
            .vector = 0x40,
            .kind = DeliveryKind::External,
            .frame = stack - 12,
            .slot_size = 4,
            .slots = 3,
            .instruction = 0x12000,
            .before = {.rip = 0x12000, .rsp = stack, .cs = code0}};
  }
  static ProbedDelivery on_ist(u64 request, u8 vector, u64 rip) {
    return {.request = request,
            .vector = vector,
            .kind = DeliveryKind::External,
            .frame = 0x6FD8,
            .slot_size = 8,
            .slots = 5,
            .stack_switched = true,
            .ist = 1,
            .instruction = rip,
            .before = {.rip = rip, .rsp = request == 1 ? 0x7F00u : 0x6FD8u, .cs = long_code0, .ss = long_data0}};
  }
  void switched(u64 at, u64 from, u64 to) { sanitizer.stack_switched(*cpu, at, from, to); }
};

TEST_F(StackRulesTest, a_frame_over_a_waiting_stack_is_reported_when_that_stack_goes_on) {
  deliver(from_user(1, 0x20000));
  switched(switch_away, frame - 0x40, 0xA000);
  deliver(from_user(2, 0x30000));  // the second program's, on the first one's stack
  switched(switch_back, frame - 0x80, frame - 0x40);
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].rule, "stale-tss-stack");
  EXPECT_EQ(found[0].severity, FindingSeverity::Error);
  EXPECT_EQ(found[0].address, switch_away);
  EXPECT_EQ(found[0].id, 2u);
}

TEST_F(StackRulesTest, a_waiting_stack_that_nobody_goes_on_with_is_no_finding) {
  deliver(from_user(1, 0x20000));
  switched(switch_away, frame - 0x40, 0xA000);
  deliver(from_user(2, 0x30000));
  leave(frame, 4);
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(StackRulesTest, a_stack_that_begins_anew_at_its_top_is_no_finding) {
  deliver(from_user(1, 0x20000));
  switched(switch_away, frame - 0x40, 0xA000);  // an entry trampoline: the frame is copied elsewhere
  deliver(from_user(2, 0x30000));
  switched(switch_back, 0xA000, stack_top);
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(StackRulesTest, each_thread_with_its_own_stack_is_no_finding) {
  deliver(from_user(1, 0x20000));
  switched(switch_away, frame - 0x40, 0xA000);
  deliver(from_user(2, 0x30000, 0xA000 - 20));
  switched(switch_back, 0xA000 - 0x60, frame - 0x40);
  leave(frame, 4);
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(StackRulesTest, a_stack_that_has_grown_into_a_waiting_one_is_a_collision) {
  deliver(from_user(1, 0x20000));
  switched(switch_away, frame - 0x40, 0xA000);
  deliver(from_kernel(2, frame - 0x10));
  switched(switch_back, frame - 0x80, frame - 0x40);
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].rule, "stack-collision");
}

TEST_F(StackRulesTest, a_stack_of_the_ist_that_is_used_twice_is_reported_at_the_second_iret) {
  deliver(on_ist(1, 0x41, 0x20000));
  deliver(on_ist(2, 0x42, 0x18410));
  leave(0x6FD8, 8);
  leave(0x6FD8, 8);
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].rule, "stack-collision");
  EXPECT_EQ(found[0].severity, FindingSeverity::Error);
  EXPECT_EQ(found[0].vector, 0x41);
  EXPECT_THAT(found[0].sentence, HasSubstr("both on stack 1 of the IST"));
}

TEST_F(StackRulesTest, an_overwritten_frame_that_was_copied_first_is_no_finding) {
  deliver(on_ist(1, 0x41, 0x20000));
  std::memcpy(ram.get() + 0x6F00, ram.get() + 0x6FD8, 40);  // what the handler returns by
  deliver(on_ist(2, 0x42, 0x18410));
  leave(0x6FD8, 8);
  leave(0x6F00, 8);
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(StackRulesTest, more_than_eight_handlers_inside_one_another_are_a_warning) {
  u64 stack = stack_top;
  for (u64 i = 1; i <= StackRules::nest_max; ++i, stack -= 0x40) deliver(from_kernel(i, stack));
  deliver(from_kernel(StackRules::nest_max + 1, stack));
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].rule, "stack-collision");
  EXPECT_EQ(found[0].severity, FindingSeverity::Warning);
  EXPECT_EQ(found[0].id, StackRules::nest_max + 1);
}

TEST_F(StackRulesTest, eight_handlers_inside_one_another_are_no_finding) {
  u64 stack = stack_top;
  for (u64 i = 1; i <= StackRules::nest_max; ++i, stack -= 0x40) deliver(from_kernel(i, stack));
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(StackRulesTest, a_task_register_without_a_stack_is_found_when_ring_3_is_interrupted) {
  set_gate(0x40);
  set_gate(10);
  set_gate(13);
  set_gate(8);
  cpu->state.tr.limit = 3;
  enter(code3, data3, user_stack);
  cpu->state.other_flags |= flag::interrupt;
  put(program, {0x90, 0x90, 0xEB, 0xFE});
  raise_interrupt();
  run(20);
  const auto found = findings();
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].rule, "stale-tss-stack");
  EXPECT_EQ(found[0].vector, 0x40);
  EXPECT_THAT(found[0].sentence, HasSubstr("TR holds no task state segment with a stack for it"));
}

}  // namespace
}  // namespace vitrine
