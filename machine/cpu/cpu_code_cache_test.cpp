// What is remembered of code must not outlive it.
#include "machine/cpu/system_test_bench.hpp"

namespace vitrine {
namespace {

struct CodeCache : SystemBench {};

// A block may run while its page's code is dropped from the cache, again and again.
TEST_F(CodeCache, code_that_rewrites_itself_runs_as_rewritten) {
  real_mode();
  // mov cx, 100; again: inc byte [0x508]; mov al, imm8; loop again; hlt
  put(0x500, {0xB9, 100, 0x00, 0xFE, 0x06, 0x08, 0x05, 0xB0, 0x00, 0xE2, 0xF8, 0xF4});
  EXPECT_EQ(run(), CpuExit::Halted);
  EXPECT_EQ(reg(rax) & 0xFF, 100u);
}

// Found by fuzzing: whether IP wrapped depended on where the run was cut.
TEST_F(CodeCache, real_mode_code_that_runs_past_64_kib_faults_wherever_the_run_is_cut) {
  for (const u64 piece : {1u, 2u, 100u}) {
    real_mode();
    store<u32>(13 * 4, 0x0600);
    put(0x600, {0xF4});
    put(0xFFFC, {0x90, 0x90, 0x90, 0x90, 0x90});
    cpu->state.rip = 0xFFFC;
    cpu->state.halted = false;
    for (int i = 0; i < 20 && !cpu->state.halted; ++i) (void)cpu->run(piece);
    EXPECT_TRUE(cpu->state.halted && cpu->state.rip == 0x601) << piece;
  }
}

}  // namespace
}  // namespace vitrine
