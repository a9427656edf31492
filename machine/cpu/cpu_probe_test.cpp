// What a probe is told, and that being watched changes nothing.
#include <functional>
#include <string>
#include <utility>

#include "machine/cpu/system_test_bench.hpp"

namespace vitrine {
namespace {

/// Writes down each call as a line, with the address where it happened.
struct RecordingProbe final : CpuProbe {
  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) override {
    deliveries.push_back(delivery);
    note("delivered", delivery.instruction, cpu);
    EXPECT_EQ(cpu.live_frames.back().frame, delivery.frame);
  }
  void returning(const Cpu& cpu, const ProbedReturn& iret) override {
    returns.push_back(iret);
    pointer_when_returning = cpu.state.gpr[rsp];
    note("returning", iret.instruction, cpu);
  }
  void returned(const Cpu& cpu, const ProbedReturn& iret) override {
    EXPECT_EQ(iret.frame, returns.back().frame);
    EXPECT_EQ(iret.request, returns.back().request);
    pointer_when_returned = cpu.state.gpr[rsp];
    note("returned", iret.instruction, cpu);
  }
  void left_kernel(const Cpu& cpu, u64 instruction) override {
    EXPECT_EQ(cpu.cpl, 3);
    note("left", instruction, cpu);
  }
  void entered_kernel(const Cpu& cpu, u64 instruction) override {
    EXPECT_EQ(cpu.cpl, 0);
    note("entered", instruction, cpu);
  }
  void table_loaded(const Cpu& cpu, ProbedTable table, u64 instruction) override {
    constexpr const char* names[] = {"idt", "gdt", "tr"};
    note(names[static_cast<unsigned>(table)], instruction, cpu);
  }
  void interrupts_enabled(const Cpu& cpu, u64 instruction) override { note("enabled", instruction, cpu); }
  void halted(const Cpu& cpu, u64 instruction, HaltShadow shadow) override {
    note(shadow == HaltShadow::Sti ? "halted behind sti" : "halted", instruction, cpu);
  }
  void stack_switched(const Cpu& cpu, u64 instruction, u64 from, u64 to) override {
    EXPECT_EQ(cpu.state.gpr[rsp], to);
    stacks.emplace_back(from, to);
    note("stack", instruction, cpu);
  }
  void gs_changed(const Cpu& cpu, u64 instruction, GsChange change) override {
    constexpr const char* names[] = {"swapgs", "gs base", "kernel gs base"};
    note(names[static_cast<unsigned>(change)], instruction, cpu);
  }
  void gs_used(const Cpu& cpu, u64 instruction) override { note("gs", instruction, cpu); }
  void code_point(const Cpu& cpu, u64 address) override {
    note("point", address, cpu);
    if (at_code_point) at_code_point();
  }
  void looked(const Cpu&) override {}

  void note(const char* what, u64 address, const Cpu& cpu) {
    seen.push_back(std::string(what) + " " + std::to_string(address - SystemBench::program));
    moments.push_back(cpu.state.instructions);
    EXPECT_EQ(cpu.context.clock.now().value, cpu.state.instructions);
    EXPECT_EQ(cpu.context.ledger.context.instructions, cpu.state.instructions);
  }

  std::vector<std::string> seen;
  std::vector<u64> moments;
  std::vector<ProbedDelivery> deliveries;
  std::vector<ProbedReturn> returns;
  std::vector<std::pair<u64, u64>> stacks;
  u64 pointer_when_returning = 0, pointer_when_returned = 0;
  std::function<void()> at_code_point;
};

using Seen = std::vector<std::string>;

struct Probed : SystemBench {
  static constexpr u64 device_memory = 0x10000000;
  Probed() { EXPECT_TRUE(memory.map_device(PhysicalAddress(device_memory), 0x1000, port_device, Region(1))); }
  void watch() { cpu->set_probe(&probe); }
  RecordingProbe probe;
};

TEST_F(Probed, a_delivery_from_user_mode_tells_the_interrupted_context_and_the_frame) {
  user_mode();
  set_gate(13);
  put(program, {0x90, 0xF4});  // nop; hlt
  cpu->state.set_flags(flag::interrupt);
  watch();
  run();
  ASSERT_TRUE(in_handler(13));
  ASSERT_EQ(probe.deliveries.size(), 1u);
  const ProbedDelivery& delivery = probe.deliveries[0];
  EXPECT_EQ(delivery.vector, 13);
  EXPECT_EQ(delivery.kind, DeliveryKind::Fault);
  EXPECT_TRUE(delivery.has_error_code);
  EXPECT_EQ(delivery.error_code, 0u);
  EXPECT_EQ(delivery.frame, kernel_stack - 20);
  EXPECT_EQ(delivery.slot_size, 4);
  EXPECT_EQ(delivery.slots, 5);
  EXPECT_TRUE(delivery.stack_switched);
  EXPECT_EQ(delivery.ist, 0);
  EXPECT_EQ(delivery.instruction, program + 1);
  EXPECT_EQ(delivery.before.rip, program + 1);
  EXPECT_EQ(delivery.before.rsp, user_stack);
  EXPECT_EQ(delivery.before.flags, flag::interrupt | flag::always_one | flag::resume);
  EXPECT_EQ(delivery.before.cs, code3);
  EXPECT_EQ(delivery.before.ss, data3);
  EXPECT_EQ(delivery.before.privilege, 3);
  EXPECT_EQ(delivery.request, records(RecordKind::Delivered)[0].id);
}

TEST_F(Probed, a_delivery_in_real_mode_and_its_iret_are_told) {
  real_mode();
  store<u32>(0x60 * 4, 0x0700);
  put(0x700, {0xCF});              // iret
  put(0x500, {0xCD, 0x60, 0xF4});  // int 60h; hlt
  watch();
  run();
  ASSERT_EQ(probe.deliveries.size(), 1u);
  EXPECT_EQ(probe.deliveries[0].kind, DeliveryKind::Software);
  EXPECT_EQ(probe.deliveries[0].instruction, 0x500u);
  EXPECT_EQ(probe.deliveries[0].before.rip, 0x502u);
  EXPECT_EQ(probe.deliveries[0].slots, 3);
  EXPECT_EQ(probe.deliveries[0].slot_size, 2);
  ASSERT_EQ(probe.returns.size(), 1u);
  EXPECT_EQ(probe.returns[0].operand_size, 2);
  EXPECT_EQ(probe.returns[0].request, probe.deliveries[0].request);
  EXPECT_EQ(probe.pointer_when_returning, 0x7000u - 6);
  EXPECT_EQ(probe.pointer_when_returned, 0x7000u);
}

TEST_F(Probed, ist_and_error_code_of_long_mode_are_told) {
  long_mode();
  set_long_gate(13, 0x8E, 2);
  store<u64>(tss + 36 + 8, 0x7808);            // IST2, not aligned
  put(program, {0x0F, 0x01, 0x18 | 0, 0xF4});  // lidt [rax] of an address that is not canonical
  reg(rax) = u64{1} << 50;
  watch();
  run();
  ASSERT_EQ(probe.deliveries.size(), 1u);
  EXPECT_EQ(probe.deliveries[0].ist, 2);
  EXPECT_TRUE(probe.deliveries[0].stack_switched);
  EXPECT_EQ(probe.deliveries[0].frame, 0x7800u - 40);
  EXPECT_EQ(probe.deliveries[0].slot_size, 8);
  EXPECT_EQ(probe.deliveries[0].slots, 5);
}

TEST_F(Probed, an_iret_that_faults_was_about_to_return_and_has_not_returned) {
  protected_mode();
  set_gate(13);
  put(program, {0x6A, 0x02, 0x6A, 0x00, 0x6A, 0x00, 0xCF});  // push 2; push 0; push 0; iret: a null CS
  watch();
  run();
  EXPECT_EQ(probe.seen, (Seen{"returning 6", "delivered 6", "halted 32976"}));
  EXPECT_EQ(probe.returns[0].request, 0u);
}

TEST_F(Probed, a_frame_that_was_moved_is_recognised_by_its_words) {
  user_mode();
  set_gate(0x40, 0xEE);
  // Copies the five words of the frame 64 bytes down and returns from there.
  put(handler(0x40), {0x89, 0xE6, 0x8D, 0x7C, 0x24, 0xC0, 0xB9, 5, 0, 0, 0, 0x36, 0xF3, 0xA5, 0x83, 0xEC, 0x40, 0xCF});
  put(program, {0xCD, 0x40, 0xF4});
  set_gate(13);
  cpu->state.set_flags(flag::interrupt);
  watch();
  run();
  ASSERT_TRUE(in_handler(13));  // HLT in user mode
  const std::vector<Record> returned = records(RecordKind::Returned);
  ASSERT_EQ(returned.size(), 1u);
  EXPECT_EQ(returned[0].id, probe.deliveries[0].request);
  EXPECT_EQ(returned[0].frame, probe.deliveries[0].frame);
  EXPECT_EQ(probe.returns[0].request, probe.deliveries[0].request);
  EXPECT_EQ(probe.returns[0].frame, probe.deliveries[0].frame - 0x40);
}

// A fork: the child's IRET comes first, through a copy of its parent's frame.
TEST_F(Probed, a_copy_of_a_frame_in_another_address_space_is_not_the_frame) {
  user_mode();
  set_gate(0x40, 0xEE);
  cpu->state.cr3 = 0x7000;  // paging is off
  // Copies the frame 64 bytes down, goes into the other address space, and returns from the copy.
  put(handler(0x40), {0x89, 0xE6, 0x8D, 0x7C, 0x24, 0xC0, 0xB9, 5,    0,    0,    0,    0x36, 0xF3,
                      0xA5, 0xB8, 0x00, 0x80, 0,    0,    0x0F, 0x22, 0xD8, 0x83, 0xEC, 0x40, 0xCF});
  put(program, {0xCD, 0x40, 0xF4});
  set_gate(13);
  cpu->state.set_flags(flag::interrupt);
  watch();
  run();
  ASSERT_TRUE(in_handler(13));
  EXPECT_TRUE(records(RecordKind::Returned).empty());
  EXPECT_EQ(probe.returns[0].request, 0u);
}

TEST_F(Probed, a_frame_that_was_made_up_belongs_to_no_request) {
  protected_mode();
  set_gate(0x40);
  // The handler makes a frame for another place, as for the first run of a thread.
  put(handler(0x40), {0x9C, 0x6A, 0x08, 0x68, 0x00, 0x02, 0x01, 0x00, 0xCF});  // pushf; push 8; push 10200h; iret
  put(program, {0xCD, 0x40, 0xF4});
  put(program + 0x200, {0xF4});
  watch();
  run();
  EXPECT_TRUE(records(RecordKind::Returned).empty());
  ASSERT_EQ(probe.returns.size(), 1u);
  EXPECT_EQ(probe.returns[0].request, 0u);
  EXPECT_EQ(cpu->live_frames.size(), 1u);
}

TEST_F(Probed, of_two_frames_with_the_same_words_the_inner_one_is_left) {
  protected_mode();
  const FrameImage image{.rip = 1, .flags = 2, .cs = 8};
  cpu->live_frames = {{.frame = 0x100, .request = 1, .vector = 3, .image = image},
                      {.frame = 0x200, .request = 2, .vector = 3, .image = image}};
  put(program, {0x6A, 0x02, 0x6A, 0x08, 0x6A, 0x01, 0xCF});
  watch();
  run(7);
  EXPECT_EQ(records(RecordKind::Returned).at(0).id, 2u);
}

TEST_F(Probed, tables_and_task_register_are_told_when_they_are_loaded) {
  protected_mode();
  store<u8>(gdt + tss_selector + 5, 0x89);
  put(program, {0x0F, 0x01, 0x15, 0x00, 0x50, 0x00, 0x00,  // lgdt [5000h]
                0x0F, 0x01, 0x1D, 0x08, 0x50, 0x00, 0x00,  // lidt [5008h]
                0x66, 0xB8, 0x28, 0x00, 0x0F, 0x00, 0xD8,  // mov ax, 28h; ltr ax
                0xF4});
  store<u16>(0x5000, 0xFF);
  store<u32>(0x5002, gdt);
  store<u16>(0x5008, 0x7FF);
  store<u32>(0x500A, idt);
  watch();
  run();
  EXPECT_EQ(probe.seen, (Seen{"gdt 0", "idt 7", "tr 18", "halted 21"}));
}

TEST_F(Probed, hlt_tells_whether_the_sti_stands_right_before_it) {
  protected_mode();
  set_gate(0x40);
  put(handler(0x40), {0xCF});
  put(program, {0xFB, 0xF4, 0xFA, 0xFB, 0x90, 0xF4});  // sti; hlt; cli; sti; nop; hlt
  watch();
  run();
  raise_interrupt();
  run();
  EXPECT_EQ(probe.seen.front(), "halted behind sti 1");
  EXPECT_EQ(probe.seen.back(), "halted 5");
}

TEST_F(Probed, interrupts_enabled_comes_only_while_it_is_wanted) {
  protected_mode();
  put(program, {0xFB, 0xFB, 0xFA, 0x9C, 0x80, 0x4C, 0x24, 1, 2, 0x9D, 0xF4});  // sti; sti; cli; pushf; or IF; popf; hlt
  watch();
  probe.wants_interrupt_flag = true;
  run();
  EXPECT_EQ(probe.seen, (Seen{"enabled 0", "enabled 9", "halted 10"}));
  EXPECT_EQ(probe.moments, (std::vector<u64>{0, 5, 6}));
  probe.seen.clear();
  probe.wants_interrupt_flag = false;
  cpu->state.halted = false;
  cpu->state.other_flags = 0;
  cpu->state.rip = program;
  run();
  EXPECT_EQ(probe.seen, Seen{"halted 10"});
}

TEST_F(Probed, loads_of_the_stack_pointer_are_told_and_adjustments_are_not) {
  protected_mode();
  store<u32>(0x5000, 0x7100);
  store<u32>(0x5004, 0x7200);
  store<u16>(0x5008, data0);
  store<u32>(0x7300, 0x7400);
  put(program, {0xBC, 0x00, 0x70, 0x00, 0x00,              //  0 mov esp, 7000h
                0x8B, 0x25, 0x00, 0x50, 0x00, 0x00,        //  5 mov esp, [5000h]
                0x0F, 0xB2, 0x25, 0x04, 0x50, 0x00, 0x00,  // 11 lss esp, [5004h]
                0xB8, 0x00, 0x73, 0x00, 0x00, 0x94,        // 18 mov eax, 7300h; xchg eax, esp
                0x5C,                                      // 24 pop esp
                0x8D, 0x60, 0x10,                          // 25 lea esp, [eax+10h]
                0x8D, 0x64, 0x24, 0x08,                    // 28 lea esp, [esp+8]
                0x55, 0x89, 0xE5, 0x89, 0xEC, 0x5D,        // 32 push ebp; mov ebp, esp; mov esp, ebp; pop ebp
                0x8D, 0x65, 0x00,                          // 38 lea esp, [ebp]
                0x83, 0xEC, 0x10, 0x83, 0xE4, 0xF0, 0xC9,  // 41 sub esp, 16; and esp, -16; leave
                0xF4});
  reg(rbp) = 0x6000;
  watch();
  run();
  EXPECT_EQ(probe.seen, (Seen{"stack 0", "stack 5", "stack 11", "stack 23", "stack 24", "stack 25", "halted 48"}));
  const std::vector<std::pair<u64, u64>> expected = {{kernel_stack, 0x7000}, {0x7000, 0x7100}, {0x7100, 0x7200},
                                                     {0x7200, 0x7300},       {0x7300, 0x7400}, {0x7400, 0x7210}};
  EXPECT_EQ(probe.stacks, expected);
}

TEST_F(Probed, a_load_of_the_stack_pointer_that_faults_is_not_told) {
  protected_mode();
  set_gate(13);
  put(program, {0x65, 0x8B, 0x25, 0x00, 0x50, 0x00, 0x00, 0xF4});  // mov esp, gs:[5000h]
  cpu->state.segments[gs].usable = false;
  watch();
  run();
  EXPECT_EQ(probe.seen.front(), "delivered 0");
}

TEST_F(Probed, a_task_switch_by_jump_loads_the_stack_pointer) {
  protected_mode();
  store<u32>(second_tss + 0x20, program + 0x100);
  store<u32>(second_tss + 0x38, 0x7700);
  for (const u32 offset : {0x48u, 0x50u, 0x54u}) store<u16>(second_tss + offset, data0);
  store<u16>(second_tss + 0x4C, code0);
  put(program, {0xEA, 0, 0, 0, 0, second_tss_selector, 0});
  put(program + 0x100, {0xF4});
  watch();
  run();
  EXPECT_EQ(probe.seen, (Seen{"stack 0", "halted 256"}));
  EXPECT_EQ(probe.stacks[0], (std::pair<u64, u64>{kernel_stack, 0x7700}));
}

TEST_F(Probed, a_task_gate_is_a_delivery_and_its_iret_a_return) {
  protected_mode();
  store<u64>(idt + 0x40 * 8, gate(second_tss_selector, 0, 0x85));
  store<u32>(second_tss + 0x20, program + 0x100);
  store<u32>(second_tss + 0x38, 0x7700);
  for (const u32 offset : {0x48u, 0x50u, 0x54u}) store<u16>(second_tss + offset, data0);
  store<u16>(second_tss + 0x4C, code0);
  put(program, {0xCD, 0x40, 0xF4});
  put(program + 0x100, {0xCF});
  watch();
  run();
  EXPECT_EQ(probe.seen, (Seen{"delivered 0", "returning 256", "stack 256", "returned 256", "halted 2"}));
  EXPECT_TRUE(probe.deliveries[0].task_gate);
  EXPECT_EQ(probe.deliveries[0].before.rsp, kernel_stack);
  EXPECT_EQ(probe.returns[0].request, probe.deliveries[0].request);
}

TEST_F(Probed, system_calls_and_far_returns_cross_the_kernel_s_border) {
  long_mode();
  cpu->state.star = u64{0x60} << 48 | u64{long_code0} << 32;
  cpu->state.lstar = handlers;
  put(handlers, {0x48, 0x0F, 0x07});  // sysretq
  // push 6Bh; push 9000h; push 73h; push 10100h; retfq
  put(program, {0x6A, 0x6B, 0x68, 0x00, 0x90, 0x00, 0x00, 0x6A, 0x73, 0x68, 0x00, 0x01, 0x01, 0x00, 0x48, 0xCB});
  put(program + 0x100, {0x0F, 0x05, 0xEB, 0xFE});  // syscall; jmp $
  watch();
  run(20);
  EXPECT_EQ(probe.seen, (Seen{"left 14", "entered 256", "left 32768"}));
}

TEST_F(Probed, gs_changes_and_uses_at_privilege_0_are_told) {
  long_mode();
  cpu->state.cr4 |= cr4_bit::fsgsbase;
  put(program, {0x0F, 0x01, 0xF8,                                      //  0 swapgs
                0xB9, 0x01, 0x01, 0x00, 0xC0, 0x31, 0xC0, 0x31, 0xD2,  //  3 mov ecx, C0000101h; xor eax, eax; xor edx
                0x0F, 0x30,                                            // 12 wrmsr
                0xFF, 0xC1, 0x0F, 0x30,                                // 14 inc ecx; wrmsr
                0xF3, 0x48, 0x0F, 0xAE, 0xD8,                          // 18 wrgsbase rax
                0x65, 0x8B, 0x04, 0x25, 0x00, 0x50, 0x00, 0x00,        // 23 mov eax, gs:[5000h]
                0x65, 0x48, 0x8D, 0x00, 0x65, 0x0F, 0x1F, 0x00,        // 31 lea rax, gs:[rax]; nop gs:[rax]
                0xF4});
  watch();
  probe.wants_gs_use = true;
  run();
  EXPECT_EQ(probe.seen, (Seen{"swapgs 0", "gs base 12", "kernel gs base 16", "gs base 18", "gs 23", "halted 39"}));
  probe.seen.clear();
  probe.wants_gs_use = false;
  cpu->state.halted = false;
  cpu->state.rip = program + 23;
  run();
  EXPECT_EQ(probe.seen, Seen{"halted 39"});
}

TEST_F(Probed, code_points_are_met_in_the_middle_of_a_block_each_time) {
  protected_mode();
  put(program,
      {0xB9, 3, 0, 0, 0, 0x40, 0x43, 0x49, 0x75, 0xFB, 0xF4});  // mov ecx, 3; 1: inc eax; inc ebx; dec ecx; jnz
  watch();
  cpu->set_code_points({program + 6});
  run();
  EXPECT_EQ(probe.seen, (Seen{"point 6", "point 6", "point 6", "halted 10"}));
  EXPECT_EQ(probe.moments, (std::vector<u64>{2, 6, 10, 13}));
  EXPECT_EQ(reg(rbx), 3u);
}

TEST_F(Probed, a_code_point_before_a_device_access_is_met_once) {
  protected_mode();
  put(program, {0x90, 0xA1, 0x00, 0x00, 0x00, 0x10, 0xF4});  // nop; mov eax, [10000000h]; hlt
  watch();
  cpu->set_code_points({program + 1});
  run();
  EXPECT_EQ(probe.seen, (Seen{"point 1", "halted 6"}));
}

TEST_F(Probed, code_points_may_be_changed_from_a_callback) {
  protected_mode();
  // Two blocks in a loop: 0 inc eax; jmp 3 | 3 inc ebx; dec ecx; jnz 0; hlt
  put(program, {0x40, 0xEB, 0x00, 0x43, 0x49, 0x75, 0xF9, 0xF4});
  reg(rcx) = 3;
  watch();
  cpu->set_code_points({program});
  probe.at_code_point = [this] { cpu->set_code_points({program + 3}); };
  run();
  EXPECT_EQ(probe.seen, (Seen{"point 0", "point 3", "point 3", "point 3", "halted 7"}));
}

TEST_F(Probed, a_probe_that_is_taken_away_hears_no_more) {
  protected_mode();
  put(program, {0xBC, 0x00, 0x70, 0x00, 0x00, 0xEB, 0xF9});  // mov esp, 7000h; jmp
  watch();
  run(20);
  const std::size_t calls = probe.seen.size();
  EXPECT_EQ(calls, 10u);
  cpu->set_probe(nullptr);
  run(20);
  EXPECT_EQ(probe.seen.size(), calls);
}

TEST_F(Probed, peeking_has_no_effect_and_refuses_what_is_not_memory) {
  long_mode();
  store<u64>(page_tables + 0x2010, device_memory | 0x87);
  store<u64>(0x5FFC, 0x1122334455667788);
  u64 value = 0;
  EXPECT_TRUE(peek_memory(*cpu, 0x5FFC, {reinterpret_cast<u8*>(&value), 8}));
  EXPECT_EQ(value, 0x1122334455667788u);
  EXPECT_EQ(load<u64>(page_tables) & 0x20, 0u);  // accessed
  EXPECT_FALSE(peek_memory(*cpu, 0x400000, {reinterpret_cast<u8*>(&value), 8}));
  EXPECT_FALSE(peek_memory(*cpu, u64{1} << 40, {reinterpret_cast<u8*>(&value), 8}));
  EXPECT_FALSE(peek_memory(*cpu, u64{1} << 60, {reinterpret_cast<u8*>(&value), 8}));
}

}  // namespace
}  // namespace vitrine
