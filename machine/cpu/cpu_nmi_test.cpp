// When IRET lets the next NMI in (SDM vol. 3A §6.7.1).
#include "machine/cpu/system_test_bench.hpp"

namespace vitrine {
namespace {

using NmiAndIret = SystemBench;

TEST_F(NmiAndIret, iret_that_faults_lets_the_next_nmi_in_before_the_handler_of_its_fault) {
  protected_mode();
  set_gate(2);
  set_gate(13);
  put(handler(2), {0xC7, 0x44, 0x24, 4, 0xF8, 0xFF, 0, 0, 0xCF});  // mov dword [esp + 4], 0FFF8h; iret
  put(program, {0xEB, 0xFE});
  pulse_nmi();
  run(2);  // delivery, mov
  pulse_nmi();
  EXPECT_EQ(records(RecordKind::Blocked).size(), 1u);
  run(2);  // IRET, delivery of #GP
  EXPECT_EQ(cpu->state.rip, handler(13));
  EXPECT_FALSE(cpu->state.nmi_blocked);
  run(1);
  EXPECT_EQ(cpu->state.rip, handler(2));
  EXPECT_TRUE(cpu->state.nmi_blocked);
  const std::vector<Record> deliveries = records(RecordKind::Delivered);
  ASSERT_EQ(deliveries.size(), 3u);
  EXPECT_EQ(deliveries[1].vector, 13u);
  EXPECT_EQ(deliveries[2].vector, 2u);
  EXPECT_EQ(deliveries[2].other, handler(13));
}

TEST_F(NmiAndIret, iret_of_a_virtual_8086_task_without_io_privilege_unblocks_nmis) {
  protected_mode();
  set_gate(13);
  const u64 frame = kernel_stack - 36;
  const u32 slots[] = {0x100, 0x600, flag::virtual_8086 | 2, 0x800, 0x700, 0, 0, 0, 0};
  for (unsigned i = 0; i < 9; ++i) store<u32>(frame + i * 4, slots[i]);
  reg(rsp) = frame;
  put(program, {0xCF});
  put(0x6100, {0xCF});
  run(1);
  ASSERT_TRUE(cpu->state.v86());
  cpu->state.nmi_blocked = true;
  run(2);  // IRET, delivery of #GP
  EXPECT_EQ(cpu->state.rip, handler(13));
  EXPECT_FALSE(cpu->state.nmi_blocked);
}

TEST_F(NmiAndIret, iret_through_a_bad_back_link_unblocks_nmis) {
  protected_mode();
  set_gate(10);
  store<u16>(tss, 0);
  cpu->state.set_flags(flag::nested_task);
  cpu->state.nmi_blocked = true;
  put(program, {0xCF});
  run();
  EXPECT_TRUE(in_handler(10));
  EXPECT_FALSE(cpu->state.nmi_blocked);
}

TEST_F(NmiAndIret, faults_that_come_before_the_execution_of_iret_leave_nmis_blocked) {
  struct Row {
    const char* what;
    std::initializer_list<int> code;
    u8 vector;
    void (*prepare)(Cpu&);
  };
  const Row rows[] = {
      {"LOCK IRET", {0xF0, 0xCF}, 6, [](Cpu&) {}},
      {"the fetch", {0xCF}, 13, [](Cpu& cpu) { cpu.state.segments[cs].limit = program - 1; }},
      {"an instruction breakpoint", {0xCF}, 1, [](Cpu& cpu) { cpu.state.dr[0] = program, cpu.state.dr[7] = 0x402; }},
  };
  for (const Row& row : rows) {
    protected_mode();
    cpu->state.halted = false;
    set_gate(row.vector);
    put(program, row.code);
    cpu->state.nmi_blocked = true;
    row.prepare(*cpu);
    cpu->state_changed();
    run(2);
    EXPECT_EQ(records(RecordKind::Exception).back().vector, row.vector) << row.what;
    EXPECT_TRUE(cpu->state.nmi_blocked) << row.what;
    cpu->state.dr[7] = 0x400;
  }
}

}  // namespace
}  // namespace vitrine
