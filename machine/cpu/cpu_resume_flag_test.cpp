// RF: instruction breakpoints and REP (SDM vol. 3B §17.3.1.1).
#include "machine/cpu/system_test_bench.hpp"

namespace vitrine {
namespace {

struct ResumeFlag : SystemBench {
  static constexpr u64 source = 0x4000, destination = 0x5000;

  /// At an instruction with so many iterations to do, and gates for #DB, NMI and an interrupt.
  void at_string(std::initializer_list<int> code, u64 iterations) {
    protected_mode();
    for (const unsigned vector : {1u, 2u, 0x40u}) set_gate(vector);
    put(program, code);
    reg(rcx) = iterations;
    reg(rdx) = 0x104;
    reg(rsi) = source;
    reg(rdi) = destination;
  }
  /// Of the frame that was pushed last, without change of stack.
  [[nodiscard]] bool pushed_resume() const { return (load(cpu->state.gpr[rsp] + 8) & flag::resume) != 0; }
  [[nodiscard]] u64 pushed_rip() const { return load(cpu->state.gpr[rsp]); }
};

constexpr std::initializer_list<int> rep_stosb = {0xF3, 0xAA, 0x90, 0x90};

TEST_F(ResumeFlag, an_interrupt_between_two_iterations_pushes_1_and_one_behind_the_last_pushes_0) {
  struct Row {
    const char* what;
    std::initializer_list<int> code;
  };
  const Row rows[] = {
      {"rep stosb", rep_stosb},           {"rep movsd", {0xF3, 0xA5, 0x90}},  {"rep lodsw", {0xF3, 0x66, 0xAD, 0x90}},
      {"repe cmpsb", {0xF3, 0xA6, 0x90}}, {"repe scasb", {0xF3, 0xAE, 0x90}}, {"rep insb", {0xF3, 0x6C, 0x90}},
      {"rep outsb", {0xF3, 0x6E, 0x90}},
  };
  for (const bool by_nmi : {false, true}) {
    for (const u64 iterations : {u64{20}, u64{10}}) {
      for (const Row& row : rows) {
        at_string(row.code, iterations);
        cpu->state.set_flags(flag::interrupt);
        cpu->state.nmi_blocked = cpu->state.halted = false;
        std::memset(ram.get() + source, 0, 0x2000);
        run(10);
        by_nmi ? pulse_nmi() : raise_interrupt();
        run(1);
        EXPECT_EQ(cpu->state.rip, handler(by_nmi ? 2 : 0x40)) << row.what;
        EXPECT_EQ(pushed_resume(), iterations == 20) << row.what;
        EXPECT_EQ(pushed_rip() == program, iterations == 20) << row.what;
        EXPECT_FALSE(cpu->state.has(flag::resume)) << row.what;
      }
    }
  }
}

TEST_F(ResumeFlag, a_single_step_trap_pushes_1_but_behind_the_last_iteration) {
  for (const u64 iterations : {u64{2}, u64{1}}) {
    at_string(rep_stosb, iterations);
    cpu->state.halted = false;
    cpu->state.set_flags(flag::trap);
    run();
    ASSERT_TRUE(in_handler(1));
    EXPECT_EQ(pushed_resume(), iterations == 2);
    EXPECT_EQ(reg(rcx), iterations - 1);
  }
}

TEST_F(ResumeFlag, a_data_breakpoint_pushes_1_but_behind_the_last_iteration) {
  for (const u64 iterations : {u64{5}, u64{3}}) {
    at_string(rep_stosb, iterations);
    cpu->state.halted = false;
    cpu->state.dr[0] = destination + 2;
    cpu->state.dr[7] = 0x10402;  // write, 1 byte
    cpu->state_changed();
    run();
    ASSERT_TRUE(in_handler(1));
    EXPECT_EQ(pushed_resume(), iterations == 5);
    EXPECT_EQ(reg(rcx), iterations - 3);
  }
}

TEST_F(ResumeFlag, an_instruction_breakpoint_on_rep_is_met_once_and_the_next_one_is_met_behind_it) {
  for (const std::initializer_list<int> code : {rep_stosb, {0xF3, 0x6C, 0x90, 0x90}}) {  // rep insb
    at_string(code, 5);
    cpu->state.halted = false;
    reg(rbx) = 0;
    put(handler(1), {0x43, 0x81, 0x4C, 0x24, 8, 0, 0, 1, 0, 0xCF});  // inc ebx; or [esp + 8], RF; iret
    cpu->state.dr[0] = program;
    cpu->state.dr[1] = program + 2;
    cpu->state.dr[7] = 0x40A;
    cpu->state_changed();
    put(program + 2, {0xF4});
    for (int cut = 0; cut < 100 && reg(rbx) < 2; ++cut) {
      if (reg(rbx) == 0) EXPECT_EQ(reg(rcx), 5u) << "met before the first iteration";
      run(1);
    }
    EXPECT_EQ(reg(rcx), 0u);
    run();
    EXPECT_EQ(reg(rbx), 2u);
  }
}

TEST_F(ResumeFlag, an_interrupt_between_iterations_does_not_bring_the_breakpoint_back) {
  at_string(rep_stosb, 50);
  put(handler(1), {0x43, 0x81, 0x4C, 0x24, 8, 0, 0, 1, 0, 0xCF});
  put(handler(2), {0x45, 0xCF});  // inc ebp; iret
  cpu->state.dr[0] = program;
  cpu->state.dr[7] = 0x402;
  cpu->state_changed();
  reg(rbx) = reg(rbp) = 0;
  put(program + 2, {0xF4});
  run(20);
  ASSERT_LT(reg(rcx), 50u);
  pulse_nmi();
  EXPECT_EQ(run(), CpuExit::Halted);
  EXPECT_EQ(reg(rbp), 1u);
  EXPECT_EQ(reg(rbx), 1u);
  EXPECT_EQ(reg(rcx), 0u);
}

TEST_F(ResumeFlag, an_interrupt_right_behind_iret_pushes_what_iret_loaded_and_one_an_instruction_later_0) {
  for (const u64 instructions : {u64{1}, u64{2}}) {
    at_string({0xCF}, 0);  // iret
    const u64 frame = kernel_stack - 12;
    store<u32>(frame, program + 0x100);
    store<u32>(frame + 4, code0);
    store<u32>(frame + 8, flag::resume | flag::interrupt | 2);
    reg(rsp) = frame;
    put(program + 0x100, {0x90, 0x90, 0x90});
    run(instructions);
    raise_interrupt();
    run(1);
    EXPECT_EQ(cpu->state.rip, handler(0x40));
    EXPECT_EQ(pushed_rip(), program + 0x100 + instructions - 1);
    EXPECT_EQ(pushed_resume(), instructions == 1);
  }
}

}  // namespace
}  // namespace vitrine
