#include "observe/check/rules/halt_rules.hpp"

#include "observe/check/rules/flow_bench.hpp"

namespace vitrine {
namespace {

constexpr u8 device = 0x40, tick = 0x41;

struct Halts : FlowBench {
  Halts() {
    protected_mode();
    set_gate(device);
    set_gate(tick);
    put(handler(device), {0xC7, 0x05, 0x00, 0x50, 0, 0, 1, 0, 0, 0, 0xCF});  // mov dword [0x5000],1; iret
    put(handler(tick), {0xCF});
    watch(HaltRules::maker());
  }
  /// `device`, as an IPI. 77: the request that the bench's controller hands out.
  void interrupt_from_another_cpu() {
    ledger.append(
        {.id = 77, .kind = RecordKind::MessageSent, .vector = device, .pin = static_cast<u8>(ApicPin::Interprocessor)});
    interrupt(device);
  }
  /// L: cmp dword [0x5000],0; jne L; nop; hlt; jmp L. The gap is from the JNE to the HLT.
  void put_idle_loop(u8 condition = 0x75) {
    put(program, {0x83, 0x3D, 0x00, 0x50, 0, 0, 0, condition, 0xF7, 0x90, 0xF4, 0xEB, 0xF3});
    cpu->state.rip = program;
    cpu->state.set_flags(flag::interrupt);
    cpu->state_changed();
  }
};

TEST_F(Halts, an_interrupt_in_the_gap_that_changes_the_word_is_a_lost_wakeup) {
  put_idle_loop();
  run();  // to the HLT: the loop is known now
  interrupt(tick);
  step(4);  // delivery, IRET, JMP, CMP
  ASSERT_EQ(cpu->state.rip, program + 7);
  interrupt(device);
  run();
  interrupt(tick);
  run();
  EXPECT_THAT(found(), ElementsAre("error lost-wakeup-before-hlt"));
  EXPECT_EQ(result.findings[0].address, program + 10);
  EXPECT_EQ(result.findings[0].vector, device);
}

TEST_F(Halts, the_gap_alone_is_a_warning_once_a_handler_has_changed_the_word) {
  put_idle_loop();
  run();
  interrupt(device);
  step(3);                // delivery, MOV, IRET
  store<u32>(0x5000, 0);  // the thread has taken note
  run();
  EXPECT_THAT(found(), ElementsAre("warning lost-wakeup-before-hlt"));
}

TEST_F(Halts, a_word_that_no_handler_changes_is_none_of_ours) {
  put_idle_loop();
  for (int i = 0; i < 5; ++i) {
    run();
    interrupt(tick);
  }
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Halts, a_count_of_ticks_needs_no_care) {
  put(handler(tick), {0xFF, 0x05, 0x00, 0x50, 0, 0, 0xCF});                             // inc dword [0x5000]; iret
  put(program, {0x83, 0x3D, 0x00, 0x50, 0, 0, 9, 0x73, 0xF7, 0x90, 0xF4, 0xEB, 0xF3});  // while (ticks < 9) hlt
  cpu->state.set_flags(flag::interrupt);
  cpu->state_changed();
  for (int i = 0; i < 5; ++i) {
    run();
    interrupt(tick);
  }
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Halts, sti_and_hlt_together_leave_no_gap) {
  // L: cli; cmp dword [0x5000],0; jne L; sti; hlt; jmp L
  put(program, {0xFA, 0x83, 0x3D, 0x00, 0x50, 0, 0, 0, 0x75, 0xF6, 0xFB, 0xF4, 0xEB, 0xF2});
  for (int i = 0; i < 4; ++i) {
    run();
    interrupt(device);
    step(3);
    store<u32>(0x5000, 0);
  }
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Halts, cli_hlt_is_meant) {
  put(program, {0xFB, 0x90, 0xFA, 0xF4, 0xEB, 0xFD});
  run();
  EXPECT_THAT(found(), ElementsAre("note dead-halt"));
}

TEST_F(Halts, a_panic_that_turns_interrupts_off_first_is_meant) {
  // sti; nop; cli; then ten NOPs of last words; hlt; jmp -3
  put(program, {0xFB, 0x90, 0xFA, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xF4, 0xEB, 0xFD});
  run();
  EXPECT_THAT(found(), ElementsAre("note dead-halt"));
}

TEST_F(Halts, a_wait_for_a_word_behind_a_forgotten_cli_is_an_error) {
  // sti; call f; L: cmp dword [0x5000],0; jne L; hlt; jmp L. f: cli; ret
  put(program, {0xFB, 0xE8, 0x3A, 0, 0, 0, 0x83, 0x3D, 0x00, 0x50, 0, 0, 0, 0x75, 0xF7, 0xF4, 0xEB, 0xF4});
  put(program + 0x40, {0xFA, 0xC3});
  run();
  EXPECT_THAT(found(), ElementsAre("error dead-halt"));
}

TEST_F(Halts, an_idle_loop_that_inherits_a_cli_is_an_error) {
  // sti; call f; nop...; L: hlt; jmp L. f: cli; ret
  put(program, {0xFB, 0xE8, 0x3A, 0, 0, 0, 0xF4, 0xEB, 0xFD});
  put(program + 0x40, {0xFA, 0xC3});
  run();
  EXPECT_THAT(found(), ElementsAre("error dead-halt"));
}

TEST_F(Halts, an_idle_thread_that_a_handler_switched_to_without_sti_is_an_error) {
  put(program, {0xFB, 0xEB, 0xFE});
  put(handler(device), {0xBC, 0x00, 0x00, 0x04, 0x00, 0xF4, 0xEB, 0xFD});  // mov esp,0x40000; hlt; jmp -3
  step(5);
  interrupt(device);
  run();
  EXPECT_THAT(found(), ElementsAre("error dead-halt"));
}

// A reschedule IPI's gate has cleared IF, and nobody set it on the idle thread's stack.
TEST_F(Halts, an_idle_thread_that_an_ipis_handler_switched_to_without_sti_is_an_error) {
  put(program, {0xFB, 0xEB, 0xFE});
  put(handler(device), {0xBC, 0x00, 0x00, 0x04, 0x00, 0xF4, 0xEB, 0xFD});  // mov esp,0x40000; hlt; jmp -3
  step(5);
  interrupt_from_another_cpu();
  run();
  EXPECT_THAT(found(), ElementsAre("error dead-halt"));
}

TEST_F(Halts, a_stop_by_ipi_on_a_stack_of_the_handlers_own_is_meant) {
  put(program, {0xFB, 0xEB, 0xFE});
  // mov eax,esp; mov esp,0x18000; push eax; hlt; jmp -3
  put(handler(device), {0x89, 0xE0, 0xBC, 0x00, 0x80, 0x01, 0x00, 0x50, 0xF4, 0xEB, 0xFD});
  step(5);
  interrupt_from_another_cpu();
  run();
  EXPECT_THAT(found(), ElementsAre("note dead-halt"));
}

TEST_F(Halts, an_exception_handler_that_halts_is_a_panic) {
  set_gate(6);
  put(handler(6), {0xF4, 0xEB, 0xFD});
  put(program, {0xFB, 0x90, 0x0F, 0x0B});
  run();
  EXPECT_THAT(found(), ElementsAre("note dead-halt"));
}

TEST_F(Halts, a_healthy_idle_loop_is_silent) {
  put(program, {0xFB, 0xF4, 0xEB, 0xFD});
  for (int i = 0; i < 5; ++i) {
    run();
    interrupt(tick);
  }
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(Halts, the_loop_around_a_hlt_is_read_through_calls) {
  // L: call f; test eax,eax; jne L; hlt; jmp L. f: mov eax,[0x5000]; ret
  put(program, {0xE8, 0x3B, 0, 0, 0, 0x85, 0xC0, 0x75, 0xF7, 0xF4, 0xEB, 0xF4});
  put(program + 0x40, {0xA1, 0x00, 0x50, 0, 0, 0xC3});
  run();
  const IdleLoop loop = idle_loop_around(*cpu, program + 9);
  EXPECT_FALSE(loop.endless);
  ASSERT_EQ(loop.words.size(), 1u);
  EXPECT_EQ(loop.words[0].linear, 0x5000u);
  EXPECT_EQ(loop.words[0].read_at, program + 0x40);
  EXPECT_THAT(loop.words[0].gap, ElementsAre(program + 0x45, program + 5, program + 7, program + 9));
}

}  // namespace
}  // namespace vitrine
