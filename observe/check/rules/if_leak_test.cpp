#include "observe/check/rules/if_leak.hpp"

#include "observe/check/rules/flow_bench.hpp"

namespace vitrine {
namespace {

struct IfLeak : FlowBench {
  static constexpr u32 other_stack = 0x40000;
  IfLeak() {
    protected_mode();
    watch(IfLeakRule::maker());
  }
  /// Leaves for the other stack with `first` before it, comes back with `second` before it, then `behind` and many
  /// NOPs.
  void switch_twice(u8 first, u8 second, u8 behind) {
    const auto low = [](u64 value, int byte) { return static_cast<int>(value >> (8 * byte) & 0xFF); };
    put(program, {first, 0x90, 0xBC, low(other_stack, 0), low(other_stack, 1), low(other_stack, 2), 0,  // mov esp
                  second, 0x90, 0xBC, low(kernel_stack, 0), low(kernel_stack, 1), low(kernel_stack, 2), 0, behind});
    for (u64 i = 0; i < 200; ++i) ram.get()[program + 15 + i] = 0x90;
    run(150);
    look();
  }
};

constexpr u8 sti = 0xFB, cli = 0xFA, nop = 0x90;

TEST_F(IfLeak, left_with_interrupts_on_and_back_with_them_off_is_a_warning) {
  switch_twice(sti, cli, nop);
  EXPECT_THAT(found(), ElementsAre("warning if-leak"));
  EXPECT_EQ(result.findings[0].address, program + 9);
}

TEST_F(IfLeak, left_with_interrupts_off_and_back_with_them_on_is_a_warning) {
  switch_twice(cli, sti, nop);
  EXPECT_THAT(found(), ElementsAre("warning if-leak"));
}

TEST_F(IfLeak, put_right_behind_the_switch_is_fine) {
  switch_twice(sti, cli, sti);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(IfLeak, put_right_the_other_way_is_fine_too) {
  switch_twice(cli, sti, cli);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(IfLeak, the_same_on_both_sides_is_fine) {
  switch_twice(cli, nop, nop);
  EXPECT_THAT(found(), IsEmpty());
}

}  // namespace
}  // namespace vitrine
