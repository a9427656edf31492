// Interrupts, exceptions and their neighbours (SDM vol. 3A ch. 6; vol. 3B ch. 17).
#include "machine/cpu/system_test_bench.hpp"

namespace vitrine {
namespace {

using Interrupts = SystemBench;

// --- real mode
// ---------------------------------------------------------------------------------------------------------

TEST_F(Interrupts, real_mode_interrupt_pushes_flags_cs_ip_and_iret_returns) {
  real_mode();
  store<u32>(0x21 * 4, 0x00001000);
  put(0x500, {0xCD, 0x21, 0xF4});  // int 21h; hlt
  put(0x1000, {0xCF});             // iret
  cpu->state.set_flags(flag::interrupt | flag::carry);
  EXPECT_EQ(run(), CpuExit::Halted);
  EXPECT_EQ(cpu->state.rip, 0x503u);
  EXPECT_EQ(reg(rsp), 0x7000u);
  EXPECT_EQ(load<u16>(0x6FFA), 0x502u);
  EXPECT_EQ(load<u16>(0x6FFE) & 0x203, 0x203);
  EXPECT_TRUE(cpu->state.has(flag::interrupt));
}

TEST_F(Interrupts, real_mode_divide_by_zero_returns_to_the_instruction) {
  real_mode();
  store<u32>(0, 0x00001000);
  put(0x500, {0x31, 0xC9, 0xF7, 0xF1});  // xor cx, cx; div cx
  put(0x1000, {0xF4});
  EXPECT_EQ(run(), CpuExit::Halted);
  EXPECT_EQ(load<u16>(0x6FFA), 0x502u);
}

TEST_F(Interrupts, far_jump_through_cr0_enters_protected_mode) {
  real_mode();
  set_tables();
  // mov eax, 1; mov cr0, eax; jmp 8:10000h
  put(0x500, {0x66, 0xB8, 0x11, 0, 0, 0, 0x0F, 0x22, 0xC0, 0x66, 0xEA, 0, 0, 1, 0, 8, 0});
  put(program, {0xB8, 0x78, 0x56, 0x34, 0x12, 0xF4});  // mov eax, 12345678h; hlt
  EXPECT_EQ(run(), CpuExit::Halted);
  EXPECT_EQ(reg(rax), 0x12345678u);
  EXPECT_EQ(cpu->state.segments[cs].selector, code0);
}

// --- gates and privileges
// -------------------------------------------------------------------------------------------------

TEST_F(Interrupts, gate_to_inner_privilege_switches_stack_and_iret_comes_back) {
  user_mode();
  set_gate(0x80, 0xEE);
  put(program, {0xCD, 0x80, 0xEB, 0xFE});  // int 80h; jmp $
  put(handler(0x80), {0xCF});              // iret
  run(10);
  EXPECT_EQ(cpu->cpl, 3);
  EXPECT_EQ(reg(rsp), user_stack);
  EXPECT_EQ(load(kernel_stack - 4), data3);
  EXPECT_EQ(load(kernel_stack - 8), user_stack);
  EXPECT_EQ(load(kernel_stack - 16), code3);
  EXPECT_EQ(load(kernel_stack - 20), program + 2);
  ASSERT_EQ(records(RecordKind::Returned).size(), 1u);
  EXPECT_EQ(records(RecordKind::Returned)[0].id, records(RecordKind::Delivered)[0].id);
  EXPECT_EQ(records(RecordKind::Delivered)[0].frame, kernel_stack - 20);
}

TEST_F(Interrupts, software_interrupt_without_right_to_the_gate_is_a_protection_fault_at_the_instruction) {
  user_mode();
  set_gate(0x80, 0x8E);
  set_gate(13);
  put(program, {0x90, 0xCD, 0x80});
  EXPECT_EQ(run(), CpuExit::Halted);
  EXPECT_TRUE(in_handler(13));
  EXPECT_EQ(load(kernel_stack - 24), 0x80u * 8 + 2);
  EXPECT_EQ(load(kernel_stack - 20), program + 1);
  EXPECT_EQ(cpu->last_exceptions().steps[0].check, FailedCheck::DplTooLow);
}

TEST_F(Interrupts, gate_that_is_not_present_names_itself_in_the_error_code) {
  protected_mode();
  set_gate(0x80, 0x0E);
  set_gate(11);
  put(program, {0xCD, 0x80});
  run();
  EXPECT_TRUE(in_handler(11));
  EXPECT_EQ(load(kernel_stack - 16), 0x80u * 8 + 2);
}

TEST_F(Interrupts, external_interrupt_that_fails_sets_ext) {
  protected_mode();
  set_gate(0x40, 0x0E);
  set_gate(11);
  put(program, {0x90, 0x90, 0x90});
  cpu->state.set_flags(flag::interrupt);
  raise_interrupt();
  run();
  EXPECT_TRUE(in_handler(11));
  EXPECT_EQ(load(kernel_stack - 16), 0x40u * 8 + 3);
  ASSERT_EQ(records(RecordKind::DeliveryFailed).size(), 1u);
  EXPECT_EQ(records(RecordKind::DeliveryFailed)[0].id, 77u);
  EXPECT_EQ(records(RecordKind::DeliveryFailed)[0].detail, static_cast<u8>(FailedCheck::GateNotPresent));
}

TEST_F(Interrupts, trap_gate_leaves_interrupt_flag_alone) {
  protected_mode();
  set_gate(0x80, 0x8F);
  set_gate(0x81, 0x8E);
  put(program, {0xCD, 0x80});
  cpu->state.set_flags(flag::interrupt);
  run();
  EXPECT_TRUE(cpu->state.has(flag::interrupt));
  cpu->state.halted = false;
  cpu->state.rip = program + 0x100;
  put(program + 0x100, {0xCD, 0x81});
  run();
  EXPECT_FALSE(cpu->state.has(flag::interrupt));
}

TEST_F(Interrupts, fault_in_iret_leaves_the_stack_pointer) {
  protected_mode();
  set_gate(13);
  const u64 frame = kernel_stack - 20;
  store<u32>(frame, program);
  store<u32>(frame + 4, code3);
  store<u32>(frame + 8, 2);
  store<u32>(frame + 12, user_stack);
  store<u32>(frame + 16, data0);  // RPL 0 for privilege 3: refused
  reg(rsp) = frame;
  put(program, {0xCF});
  run();
  EXPECT_TRUE(in_handler(13));
  EXPECT_EQ(load(frame - 16), data0 & 0xFFFCu);  // error code
  EXPECT_EQ(load(frame - 12), program);
  EXPECT_EQ(cpu->cpl, 0);
}

TEST_F(Interrupts, iret_to_outer_privilege_drops_inner_data_segments) {
  protected_mode();
  const u64 frame = kernel_stack - 20;
  store<u32>(frame, program + 0x100);
  store<u32>(frame + 4, code3);
  store<u32>(frame + 8, 2);
  store<u32>(frame + 12, user_stack);
  store<u32>(frame + 16, data3);
  reg(rsp) = frame;
  put(program, {0xCF});
  put(program + 0x100, {0xEB, 0xFE});
  run(10);
  EXPECT_EQ(cpu->cpl, 3);
  EXPECT_FALSE(cpu->state.segments[ds].usable);
  EXPECT_EQ(cpu->state.segments[ds].selector, 0);
}

// --- double and triple faults
// ---------------------------------------------------------------------------------------------

TEST_F(Interrupts, contributory_fault_during_contributory_fault_is_a_double_fault) {
  protected_mode();
  set_gate(8);
  set_gate(13, 0x0E);          // not present
  put(program, {0x8E, 0xD8});  // mov ds, ax
  reg(rax) = 0xF00;
  run();
  EXPECT_TRUE(in_handler(8));
  EXPECT_EQ(load(kernel_stack - 16), 0u);
  EXPECT_EQ(load(kernel_stack - 12), program);
}

TEST_F(Interrupts, benign_exception_then_protection_fault_is_not_double) {
  protected_mode();
  set_gate(6, 0x0E);
  set_gate(11);
  put(program, {0x0F, 0x0B});
  run();
  EXPECT_TRUE(in_handler(11));
}

TEST_F(Interrupts, triple_fault_shuts_down_and_keeps_the_chain) {
  protected_mode();
  cpu->state.idtr.limit = 0;
  put(program, {0x0F, 0x0B});
  EXPECT_EQ(run(), CpuExit::Shutdown);
  const FaultChain& chain = cpu->last_exceptions();
  // #UD, its failed delivery, the failed delivery of that: a double fault, and its failed delivery.
  ASSERT_EQ(chain.count, 5);
  const u8 vectors[] = {6, 13, 13, 8, 13};
  const u8 delivering[] = {0, 6, 13, 13, 8};
  for (unsigned i = 0; i < 5; ++i) {
    EXPECT_EQ(chain.steps[i].vector, vectors[i]) << i;
    EXPECT_EQ(chain.steps[i].delivering_vector, delivering[i]) << i;
  }
  EXPECT_EQ(chain.steps[1].check, FailedCheck::VectorPastLimit);
  EXPECT_TRUE(chain.steps[1].during_delivery);
  EXPECT_EQ(records(RecordKind::TripleFault).size(), 1u);
}

// --- shadows, NMI, HLT
// ------------------------------------------------------------------------------------------------------

TEST_F(Interrupts, sti_lets_one_instruction_pass) {
  protected_mode();
  set_gate(0x40);
  put(program, {0xFB, 0x90, 0x90});  // sti; nop; nop
  raise_interrupt();
  run();
  EXPECT_TRUE(in_handler(0x40));
  EXPECT_EQ(load(kernel_stack - 12), program + 2);
}

TEST_F(Interrupts, interrupt_that_comes_right_behind_sti_waits_for_the_hlt) {
  protected_mode();
  set_gate(0x40);
  put(program, {0xFB, 0xF4});  // sti; hlt
  run(1);
  raise_interrupt();
  run();
  EXPECT_TRUE(in_handler(0x40));
  EXPECT_EQ(load(kernel_stack - 12), program + 2);
  EXPECT_EQ(records(RecordKind::Woken).size(), 1u);
  EXPECT_EQ(records(RecordKind::Woken)[0].id, 77u);
}

TEST_F(Interrupts, mov_ss_holds_off_interrupts_for_one_instruction) {
  protected_mode();
  set_gate(0x40);
  put(program, {0x8E, 0xD0, 0x90, 0x90});  // mov ss, ax; nop; nop
  reg(rax) = data0;
  put(program - 1, {0x90});
  cpu->state.rip = program - 1;
  cpu->state.set_flags(flag::interrupt);
  run(2);  // nop; mov ss
  raise_interrupt();
  run();
  EXPECT_TRUE(in_handler(0x40));
  EXPECT_EQ(load(kernel_stack - 12), program + 3);
}

TEST_F(Interrupts, interrupt_that_waits_for_if_is_reported_blocked_once) {
  protected_mode();
  set_gate(0x40);
  cpu->state.set_flags(flag::interrupt);
  put(program, {0xFA, 0x90, 0x90, 0x90, 0xFB, 0x90, 0x90});  // cli; nops; sti; nop
  run(2);
  raise_interrupt();
  run();
  EXPECT_TRUE(in_handler(0x40));
  std::size_t by_flag = 0;
  for (const Record& record : records(RecordKind::Blocked)) {
    if (record.detail != static_cast<u8>(Obstacle::InterruptFlag)) continue;
    ++by_flag;
    EXPECT_EQ(record.address, program);
    EXPECT_EQ(record.id, 77u);
  }
  EXPECT_EQ(by_flag, 1u);
}

TEST_F(Interrupts, second_nmi_waits_for_iret) {
  protected_mode();
  set_gate(2);
  put(handler(2), {0xFF, 0x05, 0, 0x40, 0, 0, 0x90, 0xCF});  // inc dword [4000h]; nop; iret
  put(program, {0xEB, 0xFE});
  pulse_nmi();
  run(3);  // delivery, inc
  EXPECT_EQ(load(0x4000), 1u);
  EXPECT_TRUE(cpu->state.nmi_blocked);
  pulse_nmi();
  run(1);
  EXPECT_EQ(load(0x4000), 1u);
  run(50);
  EXPECT_EQ(load(0x4000), 2u);
  EXPECT_FALSE(cpu->state.nmi_blocked);
  const std::vector<Record> deliveries = records(RecordKind::Delivered);
  ASSERT_EQ(deliveries.size(), 2u);
  const std::vector<Record> blocked = records(RecordKind::Blocked);
  ASSERT_EQ(blocked.size(), 1u);
  EXPECT_EQ(blocked[0].detail, static_cast<u8>(Obstacle::NmiInProgress));
  EXPECT_EQ(blocked[0].other, deliveries[0].id);
  EXPECT_EQ(blocked[0].since, deliveries[0].time);
  EXPECT_EQ(blocked[0].id, deliveries[1].id);
}

TEST_F(Interrupts, an_nmi_while_one_is_pending_merges_into_it) {
  protected_mode();
  set_gate(2);
  put(program, {0xEB, 0xFE});
  cpu->nmi(RequestId(11));
  cpu->nmi(RequestId(12));
  const std::vector<Record> merged = records(RecordKind::Merged);
  ASSERT_EQ(merged.size(), 1u);
  EXPECT_EQ(merged[0].id, 12u);
  EXPECT_EQ(merged[0].other, 11u);
  run(1);
  ASSERT_EQ(records(RecordKind::Delivered).size(), 1u);
  EXPECT_EQ(records(RecordKind::Delivered)[0].id, 11u);
}

TEST_F(Interrupts, an_nmi_that_is_pending_when_init_comes_is_withdrawn) {
  cpu->nmi(RequestId(11));
  cpu->init(RequestId(12));
  EXPECT_FALSE(cpu->state.nmi_pending);
  const std::vector<Record> withdrawn = records(RecordKind::Withdrawn);
  ASSERT_EQ(withdrawn.size(), 1u);
  EXPECT_EQ(withdrawn[0].id, 11u);
  EXPECT_EQ(withdrawn[0].vector, 2u);
}

TEST_F(Interrupts, an_nmi_for_a_cpu_that_waits_for_a_start_up_message_is_lost) {
  cpu->state.waits_for_startup = true;
  cpu->nmi(RequestId(11));
  EXPECT_FALSE(cpu->state.nmi_pending);
  const std::vector<Record> lost = records(RecordKind::MessageLost);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].id, 11u);
  EXPECT_EQ(lost[0].detail, static_cast<u8>(MessageLoss::WaitsForStartUp));
}

// SDM vol. 3A table 9-1.
TEST_F(Interrupts, init_keeps_what_the_table_says) {
  CpuState& state = cpu->state;
  u64 next = 1;
  const auto kept = [&state] {
    return std::array{
        &state.star,        &state.lstar,        &state.cstar,        &state.syscall_mask,   &state.kernel_gs_base,
        &state.sysenter_cs, &state.sysenter_esp, &state.sysenter_eip, &state.tsc_aux,        &state.tsc_adjust,
        &state.tsc_offset,  &state.mtrr_default, &state.pat,          &state.mtrr_fixed[10], &state.mtrr_variable[15]};
  };
  for (u64* value : kept()) *value = next++;
  state.efer = efer_bit::nxe;
  state.cr4 = cr4_bit::tsd;
  cpu->init(RequestId(1));
  next = 1;
  for (const u64* value : kept()) EXPECT_EQ(*value, next++);
  EXPECT_EQ(state.efer, 0u);
  EXPECT_EQ(state.cr4, 0u);
}

TEST_F(Interrupts, hlt_outside_privilege_zero_faults) {
  user_mode();
  set_gate(13);
  put(program, {0xF4});
  run();
  EXPECT_TRUE(in_handler(13));
}

TEST_F(Interrupts, every_notable_stretch_with_interrupts_off_is_recorded) {
  protected_mode();
  cpu->state.set_flags(flag::interrupt);
  // Three times cli; mov ecx, n; loop $; sti, for n = 997, 998, 998: 999, 1000 and 1000 instructions from CLI to STI.
  for (u64 i = 0; i < 3; ++i) {
    put(program + i * 9, {0xFA, 0xB9, i == 0 ? 0xE5 : 0xE6, 0x03, 0, 0, 0xE2, 0xFE, 0xFB});
  }
  put(program + 27, {0xEB, 0xFE});
  run(4000);
  const std::vector<Record> found = records(RecordKind::InterruptsOff);
  ASSERT_EQ(found.size(), 2u);
  for (u64 i = 0; i < 2; ++i) {
    EXPECT_EQ(found[i].address, program + (i + 1) * 9);
    EXPECT_EQ(found[i].other, program + (i + 1) * 9 + 8);
    EXPECT_EQ(found[i].time - found[i].since, notable_interrupts_off);
  }
}

// --- debug
// ------------------------------------------------------------------------------------------------------------------

TEST_F(Interrupts, trap_flag_traps_behind_the_next_instruction) {
  protected_mode();
  set_gate(1);
  put(program, {0x9C, 0x81, 0x0C, 0x24, 0, 1, 0, 0, 0x9D, 0x90, 0x90});  // pushf; or [esp], 100h; popf; nop; nop
  run();
  EXPECT_TRUE(in_handler(1));
  EXPECT_EQ(load(kernel_stack - 12), program + 10);
  EXPECT_EQ(cpu->state.dr[6] & 0xE00F, 0x4000u);
  EXPECT_FALSE(cpu->state.has(flag::trap));
}

TEST_F(Interrupts, code_breakpoint_faults_before_the_instruction_and_rf_steps_over_it) {
  protected_mode();
  set_gate(1);
  // Handler: count in ebx, set RF in the frame, return.
  put(handler(1), {0x43, 0x81, 0x4C, 0x24, 8, 0, 0, 1, 0, 0xCF});
  cpu->state.dr[0] = program + 1;
  cpu->state.dr[7] = 0x402;
  cpu->state_changed();
  put(program, {0x90, 0x40, 0xF4});  // nop; inc eax; hlt
  EXPECT_EQ(run(), CpuExit::Halted);
  EXPECT_EQ(reg(rbx), 1u);
  EXPECT_EQ(reg(rax), 1u);
  EXPECT_EQ(cpu->state.dr[6] & 0xF, 1u);
}

TEST_F(Interrupts, data_breakpoint_traps_behind_the_write) {
  protected_mode();
  set_gate(1);
  cpu->state.dr[1] = 0x5000;
  cpu->state.dr[7] = 0x400 | 2u << 2 | 0xDu << 20;  // G1, write, 4 bytes
  cpu->state_changed();
  put(program, {0xA3, 0, 0x50, 0, 0, 0x90});  // mov [5000h], eax; nop
  run();
  EXPECT_TRUE(in_handler(1));
  EXPECT_EQ(load(kernel_stack - 12), program + 5);
  EXPECT_EQ(cpu->state.dr[6] & 0xF, 2u);
}

TEST_F(Interrupts, general_detect_faults_on_debug_register_access) {
  protected_mode();
  set_gate(1);
  cpu->state.dr[7] = 0x2400;
  put(program, {0x0F, 0x21, 0xC0});  // mov eax, dr0
  run();
  EXPECT_TRUE(in_handler(1));
  EXPECT_EQ(load(kernel_stack - 12), program);
  EXPECT_EQ(cpu->state.dr[6] & 0x2000, 0x2000u);
  EXPECT_EQ(cpu->state.dr[7] & 0x2000, 0u);
}

// --- ports
// ------------------------------------------------------------------------------------------------------------------

TEST_F(Interrupts, port_bitmap_decides_outside_io_privilege) {
  user_mode();
  set_gate(13);
  put(program,
      {0x66, 0xBA, 0x04, 0x01, 0xEC, 0x66, 0xBA, 0x05, 0x01, 0xEC});  // mov dx, 104h; in al, dx; mov dx, 105h; in
  store<u8>(tss + 0x68 + 0x104 / 8, 0xEF);                            // 104h allowed
  run();
  EXPECT_TRUE(in_handler(13));
  EXPECT_EQ(reg(rax) & 0xFF, 0x04u);
  EXPECT_EQ(load(kernel_stack - 20), program + 9);
  EXPECT_EQ(port_device.reads, 1u);
}

TEST_F(Interrupts, repeated_port_string_restarts_at_the_element_that_faults) {
  protected_mode();
  set_gate(13);
  cpu->state.segments[es].limit = 0x5002;
  cpu->state_changed();
  reg(rdx) = 0x104;
  reg(rcx) = 10;
  reg(rdi) = 0x5000;
  put(program, {0xF3, 0x6C});  // rep insb
  run();
  EXPECT_TRUE(in_handler(13));
  EXPECT_EQ(reg(rcx), 7u);
  EXPECT_EQ(reg(rdi), 0x5003u);
  EXPECT_EQ(port_device.reads, 3u);
  EXPECT_EQ(load(kernel_stack - 12), program);
}

}  // namespace
}  // namespace vitrine
