// Performance counters and machine checks on a bench: what is counted, and at which instruction an overflow interrupts.
#include "machine/cpu/system_test_bench.hpp"

namespace vitrine {

namespace {

constexpr u32 general0 = 0xC1, general1 = 0xC2, select0 = 0x186, select1 = 0x187, fixed0 = 0x309, fixed1 = 0x30A,
              fixed_control = 0x38D, global_status = 0x38E, global_control = 0x38F, overflow_control = 0x390;
constexpr u64 cycles_event = 0x3C, instructions_event = 0xC0;
constexpr u64 user = 1u << 16, system = 1u << 17, interrupts = 1u << 20, enabled = 1u << 22, inverts = 1u << 23;
constexpr u64 counter_end = u64{1} << PerformanceMonitor::width;

/// A local APIC that turns what the CPU raises into INTR with vector 40h.
struct CounterApic final : LocalInterrupts {
  explicit CounterApic(SystemBench& owner) : bench(owner) {}
  Acknowledged acknowledge() override { return bench.controller.acknowledge(); }
  [[nodiscard]] bool reads_quietly(u32) const override { return true; }
  u64 read_register(u32, u8) override { return 0; }
  void write_register(u32, u8, u64) override {}
  [[nodiscard]] MsrResult read_msr(u32, u64&) override { return MsrResult::NotMine; }
  [[nodiscard]] MsrResult write_msr(u32, u64) override { return MsrResult::NotMine; }
  [[nodiscard]] u8 task_priority_class() const override { return 0; }
  void set_task_priority_class(u8) override {}
  [[nodiscard]] u32 initial_id() const override { return 0; }
  [[nodiscard]] bool globally_enabled() const override { return true; }
  [[nodiscard]] bool has_x2apic() const override { return false; }
  void tsc_offset_changed(u64) override {}
  void init() override {}
  [[nodiscard]] bool can_ever_wake(bool interruptible) const override { return interruptible; }
  void raise_local(Source source) override {
    raised.push_back(source);
    at.push_back(bench.cpu->state.instructions);
    bench.raise_interrupt();
  }
  SystemBench& bench;
  std::vector<Source> raised;
  std::vector<u64> at;
};

struct Performance : SystemBench {
  Performance() { cpu->connect_apic(apic); }
  bool set(u32 number, u64 value) {
    cpu->count_performance();
    return cpu->performance.write(number, value) == PerformanceMonitor::Answer::Done;
  }
  u64 get(u32 number) {
    u64 value = ~u64{0};
    EXPECT_EQ(cpu->performance.read(number, cpu->progress(), value), PerformanceMonitor::Answer::Done);
    return value;
  }
  void put_nops(u64 address, unsigned count) {
    for (unsigned i = 0; i < count; ++i) put(address + i, {0x90});
    put(address + count, {0xF4});
  }
  CounterApic apic{*this};
};

TEST_F(Performance, unhalted_cycles_and_retired_instructions_are_counted_exactly) {
  protected_mode();
  put_nops(program, 99);
  set(select0, cycles_event | system | enabled);
  set(select1, instructions_event | system | enabled);
  set(fixed_control, 0x11);
  set(global_control, 0x3'0000'0003);
  run();
  for (const u32 counter : {general0, general1, fixed0, fixed1}) EXPECT_EQ(get(counter), 100u) << std::hex << counter;
  clock.advance_to(clock.now() + 5000);
  EXPECT_EQ(get(general0), 100u) << "it is halted";
}

TEST_F(Performance, a_delivery_is_a_cycle_without_an_instruction) {
  protected_mode();
  set_gate(vector::undefined_opcode);
  put(program, {0x90, 0x0F, 0x0B});  // NOP, UD2; the handler halts
  set(select0, cycles_event | system | enabled);
  set(select1, instructions_event | system | enabled);
  run();
  EXPECT_EQ(get(general1), 2u) << "NOP and HLT";
  EXPECT_EQ(get(general0), 4u) << "the attempt and the delivery too";
}

TEST_F(Performance, cycles_without_an_instruction_are_counted_with_a_mask_and_inv) {
  protected_mode();
  set_gate(vector::undefined_opcode);
  put(program, {0x90, 0x0F, 0x0B});
  set(select0, instructions_event | system | enabled | inverts | 1u << 24);
  set(select1, instructions_event | system | enabled | inverts | 16u << 24);
  run();
  EXPECT_EQ(get(general0), 2u);
  EXPECT_EQ(get(general1), 4u);
}

TEST_F(Performance, user_and_system_are_told_apart_where_the_privilege_changes) {
  user_mode();
  set_gate(0x80, 0xEE);
  for (unsigned i = 0; i < 10; ++i) put(program + i, {0x90});
  put(program + 10, {0xCD, 0x80});  // INT 80h
  put(handler(0x80), {0x90, 0x90, 0xF4});
  set(select0, instructions_event | user | enabled);
  set(select1, instructions_event | system | enabled);
  set(fixed_control, 0x3 << 4);
  set(global_control, 0x2'0000'0003);
  run();
  EXPECT_EQ(get(general0), 11u);
  EXPECT_EQ(get(general1), 3u);
  EXPECT_EQ(get(fixed1), 15u) << "and the delivery";
}

/// Where the interrupt of an overflow comes if runs are cut into pieces of `piece` instructions.
u64 overflow_at(unsigned piece) {
  struct Bench : Performance {
    void TestBody() override {}
  } bench;
  bench.protected_mode();
  bench.cpu->state.set_flags(flag::interrupt);
  bench.cpu->state_changed();
  bench.set_gate(0x40);
  bench.put_nops(SystemBench::program, 200);
  bench.set(general0, static_cast<u32>(-50));
  bench.set(select0, instructions_event | system | interrupts | enabled);
  for (unsigned i = 0; i < 400 / piece; ++i) (void)bench.cpu->run(piece);
  EXPECT_EQ(bench.apic.raised.size(), 1u);
  EXPECT_TRUE(bench.in_handler(0x40));
  EXPECT_EQ(bench.load<u32>(SystemBench::kernel_stack - 12), SystemBench::program + 50) << "the frame's EIP";
  return bench.apic.at.empty() ? 0 : bench.apic.at.front();
}

TEST_F(Performance, an_overflow_interrupts_behind_the_instruction_that_made_it_however_runs_are_cut) {
  for (const unsigned piece : {1u, 7u, 50u, 51u, 400u}) EXPECT_EQ(overflow_at(piece), 50u) << piece;
}

TEST_F(Performance, an_overflow_is_known_to_the_global_status_until_it_is_cleared) {
  protected_mode();
  put_nops(program, 20);
  set(fixed0, counter_end - 10);
  set(fixed_control, 0x1);
  set(global_control, u64{1} << 32);
  run();
  EXPECT_EQ(get(global_status), u64{1} << 32);
  EXPECT_EQ(get(fixed0), 11u);
  EXPECT_TRUE(apic.raised.empty()) << "its PMI bit is clear";
  set(overflow_control, u64{1} << 32);
  EXPECT_EQ(get(global_status), 0u);
}

TEST_F(Performance, a_counter_of_user_code_interrupts_in_user_code) {
  user_mode();
  cpu->state.set_flags(flag::interrupt);
  cpu->state_changed();
  set_gate(0x40);
  put_nops(program, 40);
  set(general0, static_cast<u32>(-8));
  set(select0, cycles_event | user | interrupts | enabled);
  run();
  ASSERT_TRUE(in_handler(0x40));
  EXPECT_EQ(load<u32>(kernel_stack - 20), program + 8);
  EXPECT_EQ(get(general0), 1u) << "the delivery is a cycle of what it interrupts; the handler is not counted";
}

TEST_F(Performance, registers_have_the_bits_of_version_2) {
  struct Row {
    u32 number;
    u64 value;
    bool good;
  };
  for (const Row& row :
       {Row{select0, 0xFFDFFFFF, true}, Row{select0, 1u << 21, false}, Row{select1, u64{1} << 32, false},
        Row{fixed_control, 0xBBB, true}, Row{fixed_control, 4, false}, Row{fixed_control, 0x1000, false},
        Row{fixed0, counter_end - 1, true}, Row{fixed0, counter_end, false}, Row{global_control, 0x7'0000'0003, true},
        Row{global_control, 4, false}, Row{global_status, 0, false}, Row{overflow_control, u64{1} << 63, true},
        Row{overflow_control, u64{1} << 61, false}, Row{general0, ~u64{0}, true}}) {
    EXPECT_EQ(set(row.number, row.value), row.good) << std::hex << row.number << " " << row.value;
  }
  set(select0, 0);
  set(general0, 0x80000000);
  EXPECT_EQ(get(general0), 0xFF'8000'0000u) << "bit 31 is extended";
}

TEST_F(Performance, rdpmc_reads_general_and_fixed_counters_and_user_code_needs_cr4_pce) {
  protected_mode();
  set_gate(vector::general_protection);
  set(general1, 77);
  set(fixed0 + 2, 88);
  put(program, {0x0F, 0x33, 0x89, 0xC3, 0xB9, 2, 0, 0, 0x40, 0x0F, 0x33, 0xF4});  // RDPMC; ECX = 40000002h; RDPMC
  reg(rcx) = 1;
  run();
  EXPECT_EQ(reg(rbx), 77u);
  EXPECT_EQ(reg(rax), 88u);
  reg(rcx) = 2;
  cpu->state.halted = false;
  cpu->state.rip = program;
  run();
  EXPECT_TRUE(in_handler(vector::general_protection)) << "there are two general counters";
  cpu->state.halted = false;
  user_mode();
  set_gate(vector::general_protection);
  reg(rcx) = 1;
  run();
  EXPECT_TRUE(in_handler(vector::general_protection));
}

TEST_F(Performance, cpuid_tells_of_the_counters_only_beside_a_local_apic) {
  protected_mode();
  put(program, {0x0F, 0xA2, 0xF4});
  reg(rax) = 0xA;
  run();
  EXPECT_EQ(reg(rax), 0x07280202u);
  EXPECT_EQ(reg(rbx), 0x78u);
  EXPECT_EQ(reg(rdx), 0x503u);
  cpu->apic = nullptr;
  cpu->state.halted = false;
  cpu->state.rip = program;
  reg(rax) = 0xA;
  run();
  EXPECT_EQ(reg(rax), 0u);
}

TEST_F(Performance, saved_and_restored_it_goes_on_counting) {
  protected_mode();
  put_nops(program, 60);
  set(general0, static_cast<u32>(-40));
  set(select0, instructions_event | system | interrupts | enabled);
  (void)cpu->run(10);
  Archive saved = Archive::saver();
  cpu->exchange(saved);
  (void)cpu->run(100);
  ASSERT_EQ(apic.at.size(), 1u);
  const u64 first = apic.at.front();
  Archive loaded = Archive::loader(saved.bytes());
  cpu->exchange(loaded);
  EXPECT_TRUE(loaded.ok());
  (void)cpu->run(100);
  ASSERT_EQ(apic.at.size(), 2u);
  EXPECT_EQ(apic.at.back(), first);
}

// --- machine checks

constexpr u32 mcg_cap = 0x179, mcg_status = 0x17A, control2 = 0x280, control = 0x400, status = 0x401;

struct MachineChecks : Performance {
  void write(u32 number, u64 value) { EXPECT_EQ(cpu->machine_checks.write(number, value), MachineCheck::Answer::Done); }
  u64 read(u32 number) {
    u64 value = 0;
    EXPECT_EQ(cpu->machine_checks.read(number, value), MachineCheck::Answer::Done);
    return value;
  }
};

TEST_F(MachineChecks, corrected_errors_are_counted_and_raise_cmci_at_the_threshold) {
  write(control2, 3 | u64{1} << 30);
  for (int i = 0; i < 2; ++i) cpu->machine_check({.code = 5});
  EXPECT_TRUE(apic.raised.empty());
  for (int i = 0; i < 3; ++i) cpu->machine_check({.code = 5});
  EXPECT_EQ(apic.raised, std::vector{LocalInterrupts::Source::CorrectedMachineCheck});
  EXPECT_EQ(read(status), u64{3} << 62 | u64{5} << 38 | 5);
  write(status, 0);
  cpu->machine_check({.code = 5});
  EXPECT_EQ(read(status), u64{1} << 63 | u64{1} << 38 | 5) << "it counts from 0 again";
}

TEST_F(MachineChecks, without_the_enable_bit_there_is_no_cmci) {
  write(control2, 1);
  cpu->machine_check({.code = 5});
  EXPECT_TRUE(apic.raised.empty());
  EXPECT_EQ(read(mcg_cap), 0x401u);
}

TEST_F(MachineChecks, registers_take_what_the_manual_lets_them_take) {
  using enum MachineCheck::Answer;
  constexpr u32 address = 0x402, misc = 0x403;
  struct Row {
    u32 number;
    u64 value;
    MachineCheck::Answer answer;
  };
  constexpr Row rows[] = {
      {mcg_cap, 0, NotMine},       {mcg_status, 7, Done}, {mcg_status, 8, Refused}, {control, ~u64{0}, Done},
      {control, 1, Refused},       {control, 0, Done},    {status, 1, Refused},     {status, 0, Done},
      {address, 0x123, Done},      {misc, 0x456, Done},   {misc + 1, 0, NotMine},   {control2, 0x40007FFF, Done},
      {control2, 0x8000, Refused},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(cpu->machine_checks.write(row.number, row.value), row.answer)
        << std::hex << row.number << ' ' << row.value;
    if (row.answer == Done) EXPECT_EQ(read(row.number), row.value) << std::hex << row.number;
  }
}

TEST_F(MachineChecks, an_uncorrected_error_is_an_abort_and_a_second_one_in_it_shuts_down) {
  protected_mode();
  set_gate(vector::machine_check);
  put_nops(program, 10);
  cpu->state.cr4 |= cr4_bit::mce;
  write(control, ~u64{0});
  (void)cpu->run(4);
  cpu->machine_check({.severity = MachineCheck::Severity::Uncorrected, .code = 5});
  run();
  EXPECT_TRUE(in_handler(vector::machine_check));
  EXPECT_EQ(load<u32>(kernel_stack - 12), program + 4);
  EXPECT_EQ(read(mcg_status), 0b101u);
  cpu->machine_check({.severity = MachineCheck::Severity::Uncorrected, .code = 5});
  EXPECT_TRUE(cpu->state.shutdown);
}

TEST_F(MachineChecks, an_uncorrected_error_wakes_a_halted_cpu) {
  protected_mode();
  set_gate(vector::machine_check);
  put(program, {0xF4});
  cpu->state.cr4 |= cr4_bit::mce;
  write(control, ~u64{0});
  run();
  cpu->machine_check({.severity = MachineCheck::Severity::Uncorrected, .code = 5});
  run();
  EXPECT_TRUE(in_handler(vector::machine_check));
}

TEST_F(MachineChecks, without_cr4_mce_an_uncorrected_error_shuts_down) {
  protected_mode();
  write(control, ~u64{0});
  cpu->machine_check({.severity = MachineCheck::Severity::Uncorrected, .code = 5});
  EXPECT_TRUE(cpu->state.shutdown);
}

TEST_F(MachineChecks, an_uncorrected_error_that_the_bank_does_not_enable_is_only_logged) {
  protected_mode();
  cpu->machine_check({.severity = MachineCheck::Severity::Uncorrected, .code = 5});
  EXPECT_FALSE(cpu->state.shutdown);
  EXPECT_EQ(read(status) >> 60, 0b1010u) << "VAL, UC";
  cpu->machine_check({.code = 6});
  EXPECT_EQ(read(status) & 0xFFFF, 5u) << "the worse error stays";
}

}  // namespace

}  // namespace vitrine
