#include "observe/check/rules/stack_on_two_cpus.hpp"

#include "observe/check/rules/rule_bench.hpp"

namespace vitrine {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

/// Two CPUs that share one bench's CPU: what the rule sees of it are page tables and clock.
struct StackOnTwoCpusTest : SystemBench {
  static constexpr u64 page_table = page_tables + 0x4000, thread = 0xA800, first = 0x12000, second = 0x12100;
  static constexpr u64 user = 4;

  StackOnTwoCpusTest() {
    long_mode();
    // The first 2 MiB in pages of 4 KiB.
    for (u64 page = 0; page < 512; ++page) store<u64>(page_table + page * 8, page << 12 | 3 | user);
    store<u64>(page_tables + 0x2000, page_table | 3 | user);
    cpu->state_changed();
  }

  void take_user_bit(u64 address) { store<u64>(page_table + (address >> 12) * 8, (address & ~u64{0xFFF}) | 3); }
  void unmap(u64 address) { store<u64>(page_table + (address >> 12) * 8, 0); }
  void switched(u8 on, u64 at, u64 from, u64 to) {
    ledger.context.cpu = on;
    clock.advance_to(Tick(clock.now().value + 100));
    sanitizer.stack_switched(*cpu, at, from, to);
  }
  /// The second CPU loads the stack pointer of the thread that the first one runs, and that one goes on to the next.
  std::vector<Finding> findings() {
    switched(0, first, kernel_stack, thread);
    switched(1, second, 0xC800, thread - 0x20);
    switched(0, first, thread - 0x20, kernel_stack);
    return sanitizer.finish({}).findings;
  }

  TraceHeader header;
  std::vector<RuleMaker> makers{StackOnTwoCpus::maker()};
  Sanitizer sanitizer{header, {.rules = {"stack-on-two-cpus"}, .ledger = &ledger}, makers};
};

TEST_F(StackOnTwoCpusTest, a_kernels_stack_is_reported_where_it_was_loaded) {
  for (const u64 page : {thread, first, kernel_stack}) take_user_bit(page);
  const auto found = findings();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].address, second);
  EXPECT_EQ(found[0].cpu, 1);
}

TEST_F(StackOnTwoCpusTest, a_programs_stack_is_left_alone) {
  for (const u64 page : {first, kernel_stack}) take_user_bit(page);
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(StackOnTwoCpusTest, a_programs_stack_that_is_not_mapped_yet_is_left_alone) {
  for (const u64 page : {first, kernel_stack}) take_user_bit(page);
  unmap(thread);
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(StackOnTwoCpusTest, pages_tell_nothing_where_programs_may_use_the_kernels_too) {
  EXPECT_THAT(findings(), SizeIs(1));
}

}  // namespace
}  // namespace vitrine
