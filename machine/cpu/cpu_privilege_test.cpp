// Segments, gates, tasks, paging and modes (SDM vol. 3A ch. 3 - 7; vol. 3B ch. 20).
#include "abi/instruction_count.h"
#include "machine/cpu/system_test_bench.hpp"

namespace vitrine {
namespace {

using Protection = SystemBench;

// --- segments
// -------------------------------------------------------------------------------------------------------------

struct SegmentLoad {
  const char* what;
  u16 selector;
  bool stack;
  u8 vector;
  u32 error_code;
};

class SegmentLoads : public SystemBench, public testing::WithParamInterface<SegmentLoad> {};

TEST_P(SegmentLoads, raise_what_the_manual_says) {
  protected_mode();
  for (const unsigned number : {11u, 12u, 13u}) set_gate(number);
  reg(rax) = GetParam().selector;
  put(program, {0x8E, GetParam().stack ? 0xD0 : 0xD8});  // mov ss/ds, ax
  run();
  EXPECT_TRUE(in_handler(GetParam().vector)) << GetParam().what;
  EXPECT_EQ(load(kernel_stack - 16), GetParam().error_code) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(Table, SegmentLoads,
                         testing::Values(SegmentLoad{"null SS", 0, true, 13, 0},
                                         SegmentLoad{"past the limit", 0xF08, false, 13, 0xF08},
                                         SegmentLoad{"LDT without one", 0x0C, false, 13, 0x0C},
                                         SegmentLoad{"SS of other privilege", SystemBench::data3, true, 13, 0x20},
                                         SegmentLoad{"SS not data", SystemBench::code0, true, 13, 8},
                                         SegmentLoad{"DS a system segment", SystemBench::tss_selector, false, 13, 0x28},
                                         SegmentLoad{"DS not present", SystemBench::absent, false, 11, 0x48},
                                         SegmentLoad{"SS not present", SystemBench::absent, true, 12, 0x48}));

TEST_F(Protection, null_data_segment_loads_and_faults_when_used) {
  protected_mode();
  set_gate(13);
  put(program, {0x8E, 0xD8, 0xA1, 0, 0x50, 0, 0});  // mov ds, ax; mov eax, [5000h]
  run();
  EXPECT_TRUE(in_handler(13));
  EXPECT_EQ(load(kernel_stack - 12), program + 2);
  EXPECT_EQ(load(kernel_stack - 16), 0u);
}

TEST_F(Protection, loading_a_segment_sets_its_accessed_bit) {
  protected_mode();
  set_descriptor(absent, descriptor(0x1234, 0xFFFFF, 0x92, 0xC));
  reg(rax) = absent;
  put(program, {0x8E, 0xD8, 0xF4});
  run();
  EXPECT_EQ(load<u8>(gdt + absent + 5), 0x93u);
  EXPECT_EQ(cpu->state.segments[ds].base, 0x1234u);
}

TEST_F(Protection, lar_and_lsl_answer_in_zf) {
  protected_mode();
  reg(rbx) = tss_selector;
  put(program, {0x0F, 0x02, 0xC3, 0x0F, 0x03, 0xCB, 0xF4});  // lar eax, ebx; lsl ecx, ebx; hlt
  run();
  EXPECT_EQ(reg(rax), 0x8B00u);
  EXPECT_EQ(reg(rcx), 0x2FFu);
  EXPECT_NE(cpu->state.flags() & flag::zero, 0u);
}

// --- call gates
// -----------------------------------------------------------------------------------------------------------

TEST_F(Protection, call_gate_copies_parameters_to_the_inner_stack_and_far_return_releases_them) {
  user_mode();
  set_descriptor(call_gate, gate(code0, handlers, 0xEC, 2));
  put(program,
      {0x6A, 0x11, 0x6A, 0x22, 0x9A, 0, 0, 0, 0, call_gate | 3, 0, 0xEB, 0xFE});  // push; push; call far; jmp $
  put(handlers, {0xCA, 8, 0});                                                    // retf 8
  run(20);
  EXPECT_EQ(cpu->cpl, 3);
  EXPECT_EQ(reg(rsp), user_stack);
  EXPECT_EQ(load(kernel_stack - 4), data3);
  EXPECT_EQ(load(kernel_stack - 8), user_stack - 8);
  EXPECT_EQ(load(kernel_stack - 12), 0x11u);
  EXPECT_EQ(load(kernel_stack - 16), 0x22u);
  EXPECT_EQ(load(kernel_stack - 20), code3);
  EXPECT_EQ(load(kernel_stack - 24), program + 11);
}

TEST_F(Protection, jump_through_a_call_gate_does_not_change_privilege) {
  user_mode();
  set_gate(13);
  set_descriptor(call_gate, gate(code0, handlers, 0xEC));
  put(program, {0xEA, 0, 0, 0, 0, call_gate | 3, 0});
  run();
  EXPECT_TRUE(in_handler(13));
  EXPECT_EQ(load(kernel_stack - 24), 8u);
}

// --- tasks
// ----------------------------------------------------------------------------------------------------------------

TEST_F(Protection, call_to_a_task_nests_and_iret_returns) {
  protected_mode();
  store<u32>(second_tss + 0x20, handlers);    // EIP
  store<u32>(second_tss + 0x24, 2);           // EFLAGS
  store<u32>(second_tss + 0x38, user_stack);  // ESP
  for (const u32 slot : {0x48u, 0x50u, 0x54u, 0x58u, 0x5Cu}) store<u32>(second_tss + slot, data0);
  store<u32>(second_tss + 0x4C, code0);
  put(program, {0x9A, 0, 0, 0, 0, second_tss_selector, 0, 0xF4});  // call far; hlt
  put(handlers,
      {0x0F, 0x01, 0xE0, 0xA3, 0, 0x50, 0, 0, 0x9C, 0x58, 0xA3, 4, 0x50, 0, 0, 0xCF});  // smsw eax; store; flags; iret
  reg(rbx) = 0xB0B;
  EXPECT_EQ(run(), CpuExit::Halted);
  EXPECT_EQ(cpu->state.rip, program + 8);
  EXPECT_EQ(reg(rbx), 0xB0Bu);
  EXPECT_EQ(cpu->state.tr.selector, tss_selector);
  EXPECT_EQ(load(0x5000) & 8, 8u);                           // TS
  EXPECT_NE(load(0x5004) & flag::nested_task, 0u);           // NT in the new task
  EXPECT_EQ(load<u16>(second_tss), tss_selector);            // back link
  EXPECT_EQ(load<u8>(gdt + second_tss_selector + 5), 0x89);  // not busy any more
  EXPECT_EQ(load<u8>(gdt + tss_selector + 5), 0x8B);
}

TEST_F(Protection, fault_in_the_new_task_saves_the_new_tasks_address) {
  protected_mode();
  set_gate(10);
  store<u32>(second_tss + 0x20, handlers);
  store<u32>(second_tss + 0x38, user_stack);
  store<u32>(second_tss + 0x4C, code0);
  for (const u32 slot : {0x48u, 0x50u, 0x58u, 0x5Cu}) store<u32>(second_tss + slot, data0);
  store<u32>(second_tss + 0x54, tss_selector);  // DS: not data
  put(program, {0xEA, 0, 0, 0, 0, second_tss_selector, 0});
  run();
  EXPECT_TRUE(in_handler(10));
  EXPECT_EQ(load(user_stack - 16), tss_selector);
  EXPECT_EQ(load(user_stack - 12), handlers);
  EXPECT_EQ(cpu->state.tr.selector, second_tss_selector);
}

TEST_F(Protection, task_gate_takes_a_double_fault_without_a_good_stack) {
  protected_mode();
  store<u32>(second_tss + 0x20, handlers);
  store<u32>(second_tss + 0x38, user_stack);
  store<u32>(second_tss + 0x4C, code0);
  for (const u32 slot : {0x48u, 0x50u, 0x54u, 0x58u, 0x5Cu}) store<u32>(second_tss + slot, data0);
  store(idt + 8 * 8, gate(second_tss_selector, 0, 0x85));
  put(handlers, {0xF4});
  cpu->state.segments[ss].limit = 0xFFF;
  cpu->state_changed();
  put(program, {0x50});  // push eax: #SS, which can't push either
  EXPECT_EQ(run(), CpuExit::Halted);
  EXPECT_EQ(cpu->state.rip, handlers + 1);
  EXPECT_EQ(load(user_stack - 4), 0u);  // the error code on the new task's stack
  EXPECT_EQ(load(tss + 0x20), program);
}

// --- virtual-8086 mode
// ------------------------------------------------------------------------------------------------------

TEST_F(Protection, virtual_8086_task_enters_by_iret_and_leaves_by_interrupt) {
  protected_mode();
  set_gate(13);
  const u64 frame = kernel_stack - 36;
  const u32 slots[] = {0x100, 0x600, flag::virtual_8086 | flag::interrupt | 2, 0x800, 0x700, 0x111, 0x222,
                       0x333, 0x444};
  for (unsigned i = 0; i < 9; ++i) store<u32>(frame + i * 4, slots[i]);
  reg(rsp) = frame;
  put(program, {0xCF});
  put(0x6100, {0x90, 0xFA});  // nop; cli: IOPL is 0
  run();
  EXPECT_TRUE(in_handler(13));
  EXPECT_FALSE(cpu->state.v86());
  EXPECT_EQ(load(kernel_stack - 4), 0x444u);   // GS
  EXPECT_EQ(load(kernel_stack - 16), 0x111u);  // ES
  EXPECT_EQ(load(kernel_stack - 20), 0x700u);  // SS
  EXPECT_EQ(load(kernel_stack - 24), 0x800u);  // ESP
  EXPECT_EQ(load(kernel_stack - 32), 0x600u);  // CS
  EXPECT_EQ(load(kernel_stack - 36), 0x101u);  // EIP of CLI
  EXPECT_FALSE(cpu->state.segments[gs].usable);
}

TEST_F(Protection, virtual_8086_extensions_send_a_software_interrupt_to_the_own_table) {
  protected_mode();
  cpu->state.cr4 = cr4_bit::vme;
  store<u16>(tss + 102, 0x88);
  std::memset(ram.get() + tss + 0x68, 0, 0x20);  // redirect all
  const u64 frame = kernel_stack - 36;
  const u32 slots[] = {0x100, 0x600, flag::virtual_8086 | flag::virtual_interrupt | 2, 0x800, 0x700, 0, 0, 0, 0};
  for (unsigned i = 0; i < 9; ++i) store<u32>(frame + i * 4, slots[i]);
  reg(rsp) = frame;
  store<u32>(0x21 * 4, 0x06500000);
  put(program, {0xCF});
  put(0x6100, {0xCD, 0x21});
  put(0x6500, {0xEB, 0xFE});
  run(10);
  EXPECT_TRUE(cpu->state.v86());
  EXPECT_EQ(cpu->state.segments[cs].selector, 0x650);
  EXPECT_FALSE(cpu->state.has(flag::virtual_interrupt));
  EXPECT_EQ(load<u16>(0x7000 + 0x7FE) & (flag::interrupt | flag::iopl), flag::interrupt | flag::iopl);
}

// --- long mode
// --------------------------------------------------------------------------------------------------------------

TEST_F(Protection, long_mode_gate_aligns_the_frame) {
  long_mode();
  set_long_gate(0x80);
  reg(rsp) = kernel_stack - 5;
  put(program, {0xCD, 0x80});
  run();
  EXPECT_TRUE(in_handler(0x80));
  EXPECT_EQ(reg(rsp), ((kernel_stack - 5) & ~u64{15}) - 40);
  EXPECT_EQ(load<u64>(reg(rsp) + 24), kernel_stack - 5);
  EXPECT_EQ(load<u64>(reg(rsp) + 32), long_data0);
}

TEST_F(Protection, interrupt_stack_table_gives_the_stack) {
  long_mode();
  set_long_gate(14, 0x8E, 3);
  store<u64>(tss + 0x24 + 16, 0xA000);
  put(program, {0x48, 0x8B, 0x04, 0x25, 0, 0, 0, 0x40});  // mov rax, [40000000h]
  run();
  EXPECT_TRUE(in_handler(14));
  EXPECT_EQ(reg(rsp), 0xA000u - 48);
  EXPECT_EQ(load<u64>(0xA000 - 48), 0u);  // not present, read, supervisor
  EXPECT_EQ(load<u64>(0xA000 - 40), program);
  EXPECT_EQ(cpu->state.cr2, 0x40000000u);
}

TEST_F(Protection, syscall_and_sysret_go_there_and_back) {
  long_mode();
  cpu->state.star = u64{(long_data3 - 8) | 3} << 48 | u64{long_code0} << 32;
  cpu->state.lstar = handlers;
  cpu->state.syscall_mask = flag::interrupt;
  enter(long_code3, long_data3, user_stack);
  cpu->state.set_flags(flag::interrupt | flag::carry);
  put(program, {0x0F, 0x05, 0xEB, 0xFE});         // syscall; jmp $
  put(handlers, {0x9C, 0x58, 0x48, 0x0F, 0x07});  // pushfq; pop rax; sysretq
  run(20);
  EXPECT_EQ(cpu->cpl, 3);
  EXPECT_EQ(cpu->state.rip, program + 2);
  EXPECT_EQ(reg(rcx), program + 2);
  EXPECT_EQ(reg(rax) & flag::interrupt, 0u);
  EXPECT_TRUE(cpu->state.has(flag::interrupt));
  EXPECT_EQ(cpu->state.segments[cs].selector, long_code3);
}

TEST_F(Protection, far_return_in_64_bit_code_enters_compatibility_mode) {
  long_mode();
  // push 8; push 10100h; retfq
  put(program, {0x6A, code0, 0x68, 0x00, 0x01, 0x01, 0x00, 0x48, 0xCB});
  put(program + 0x100, {0x40, 0xF4});  // inc eax in 32-bit code
  reg(rax) = 0xFFFFFFFF;
  run();
  EXPECT_EQ(reg(rax), 0u);
  EXPECT_TRUE(cpu->state.halted);
  EXPECT_FALSE(cpu->mode.is64());
}

TEST_F(Protection, iretq_to_user_mode_and_non_canonical_target) {
  long_mode();
  set_long_gate(13);
  const u64 frame = kernel_stack - 40;
  store<u64>(frame, u64{1} << 47);
  store<u64>(frame + 8, long_code3);
  store<u64>(frame + 16, 2);
  store<u64>(frame + 24, user_stack);
  store<u64>(frame + 32, long_data3);
  reg(rsp) = frame;
  put(program, {0x48, 0xCF});
  run();
  EXPECT_TRUE(in_handler(13));
  EXPECT_EQ(cpu->last_exceptions().steps[0].check, FailedCheck::NonCanonical);
}

// --- paging
// -----------------------------------------------------------------------------------------------------------------

struct PageCase {
  const char* what;
  u64 entry;  ///< low bits of the leaf for the page at 3 MiB (a 2-MiB page at 2 MiB)
  bool user;
  Access access;
  u64 cr0, cr4;    ///< more bits
  int error_code;  ///< -1: allowed
};

class PageRights : public SystemBench, public testing::WithParamInterface<PageCase> {};

TEST_P(PageRights, give_the_error_code_of_the_manual) {
  const PageCase& row = GetParam();
  long_mode();
  cpu->state.cr0 |= row.cr0;
  cpu->state.cr4 |= row.cr4;
  store<u64>(page_tables + 0x2008, (u64{1} << 21) | row.entry);
  cpu->state_changed();
  Cpu::Translation translation;
  const MemoryView view = row.user ? MemoryView::User : MemoryView::Supervisor;
  const bool good = cpu->translate(0x300000, row.access, view, translation);
  EXPECT_EQ(good, row.error_code < 0) << row.what;
  if (good) {
    EXPECT_EQ(translation.physical, 0x300000u);
  } else {
    EXPECT_EQ(cpu->fault.error_code, static_cast<u32>(row.error_code)) << row.what;
  }
}

constexpr u64 no_execute = u64{1} << 63;
INSTANTIATE_TEST_SUITE_P(
    Table, PageRights,
    testing::Values(PageCase{"not present", 0x86, false, Access::Write, 0, 0, 2},
                    PageCase{"user reads supervisor page", 0x83, true, Access::Read, 0, 0, 5},
                    PageCase{"user writes read-only page", 0x85, true, Access::Write, 0, 0, 7},
                    PageCase{"supervisor writes read-only page under WP", 0x85, false, Access::Write, 0, 0, 3},
                    PageCase{"fetch from no-execute page", 0x87 | no_execute, true, Access::Execute, 0, 0, 0x15},
                    PageCase{"reserved bit", 0x87 | u64{1} << 45, false, Access::Read, 0, 0, 9},
                    PageCase{"misaligned large page", 0x2087, false, Access::Read, 0, 0, 9},
                    PageCase{"supervisor fetches user page under SMEP", 0x87, false, Access::Execute, 0, cr4_bit::smep,
                             0x11},
                    PageCase{"supervisor reads user page under SMAP", 0x87, false, Access::Read, 0, cr4_bit::smap, 1},
                    PageCase{"supervisor reads user page", 0x87, false, Access::Read, 0, 0, -1},
                    PageCase{"user writes user page", 0x87, true, Access::Write, 0, 0, -1}));

TEST_F(Protection, walk_sets_accessed_and_a_write_sets_dirty) {
  long_mode();
  put(program, {0xA0, 0, 0, 0x30, 0, 0, 0, 0, 0, 0xF4});  // mov al, [300000h]; hlt
  run();
  EXPECT_EQ(load<u64>(page_tables + 0x2008) & 0x60, 0x20u);
  EXPECT_EQ(load<u64>(page_tables) & 0x60, 0x20u);
  cpu->state.halted = false;
  put(program + 0x40, {0xA2, 0, 0, 0x30, 0, 0, 0, 0, 0, 0xF4});
  cpu->state.rip = program + 0x40;
  run();
  EXPECT_EQ(load<u64>(page_tables + 0x2008) & 0x60, 0x60u);
}

TEST_F(Protection, pae_pointers_are_loaded_with_cr3_and_checked) {
  protected_mode();
  set_gate(13);
  cpu->state.cr4 = cr4_bit::pae;
  store<u64>(page_tables + 0x20, (page_tables + 0x2000) | 1 | 0x200);  // bit 9 is ignored
  store<u64>(page_tables + 0x40, (page_tables + 0x2000) | 1);
  for (u64 i = 0; i < 2; ++i) store<u64>(page_tables + 0x2000 + i * 8, i << 21 | 0x83);
  // mov eax, 20040h; mov cr3, eax; mov eax, 80000011h; mov cr0, eax; mov eax, 20020h; mov cr3, eax
  put(program, {0xB8, 0x40, 0,    2,    0,    0x0F, 0x22, 0xD8, 0xB8, 0x11, 0,    0,   0x80,
                0x0F, 0x22, 0xC0, 0xB8, 0x20, 0,    2,    0,    0x0F, 0x22, 0xD8, 0xF4});
  run();
  EXPECT_FALSE(in_handler(13));
  store<u64>(page_tables + 0x60, (page_tables + 0x2000) | 1 | 0x20);  // bits 8:5 are reserved
  cpu->state.halted = false;
  put(program + 0x40, {0xB8, 0x60, 0, 2, 0, 0x0F, 0x22, 0xD8});
  cpu->state.rip = program + 0x40;
  run();
  EXPECT_TRUE(in_handler(13));
  EXPECT_EQ(cpu->state.cr3, 0x20020u);
}

TEST_F(Protection, protected_mode_enters_long_mode_by_the_book) {
  long_mode();  // fills the tables
  set_tables();
  CpuState& state = cpu->state;
  state.efer = 0;
  state.cr0 = 0x11;
  state.cr4 = 0;
  state.cr3 = 0;
  load_task_register();
  enter(code0, data0, kernel_stack);
  put(program, {0x0F, 0x20, 0xE0, 0x83, 0xC8, 0x20,       0x0F, 0x22, 0xE0,                       // cr4 |= PAE
                0xB8, 0,    0,    2,    0,    0x0F,       0x22, 0xD8,                             // cr3 = 20000h
                0xB9, 0x80, 0,    0,    0xC0, 0x0F,       0x32, 0x0F, 0xBA, 0xE8, 8, 0x0F, 0x30,  // EFER.LME
                0x0F, 0x20, 0xC0, 0x0F, 0xBA, 0xE8,       31,   0x0F, 0x22, 0xC0,                 // cr0 |= PG
                0xEA, 0,    2,    1,    0,    long_code0, 0});                                    // jmp far 50h:10200h
  put(program + 0x200, {0x48, 0xFF, 0xC0, 0xF4});                                                 // inc rax; hlt
  EXPECT_EQ(run(), CpuExit::Halted);
  EXPECT_TRUE(cpu->state.long_mode());
  EXPECT_TRUE(cpu->mode.is64());
  EXPECT_EQ(cpu->state.rip, program + 0x204);
}

// --- state
// ------------------------------------------------------------------------------------------------------------------

TEST_F(Protection, state_saves_and_restores_to_the_same_bytes) {
  long_mode();
  put(program, {0x48, 0xFF, 0xC0, 0xEB, 0xFB});
  run(100);
  Archive saved = Archive::saver();
  cpu->exchange(saved);
  run(50);
  Archive loader = Archive::loader(saved.bytes());
  cpu->exchange(loader);
  EXPECT_TRUE(loader.ok());
  Archive again = Archive::saver();
  cpu->exchange(again);
  EXPECT_EQ(saved.bytes(), again.bytes());
}

TEST_F(Protection, cpuid_tells_vendor_and_long_mode) {
  long_mode();
  put(program, {0x31, 0xC0, 0x0F, 0xA2, 0xF4});
  run();
  EXPECT_EQ(reg(rbx), 0x756E6547u);
  cpu->state.halted = false;
  cpu->state.rip = program + 0x20;
  put(program + 0x20, {0xB8, 1, 0, 0, 0x80, 0x0F, 0xA2, 0xF4});
  run();
  EXPECT_NE(reg(rdx) & 1u << 29, 0u);
  EXPECT_NE(reg(rdx) & 1u << 11, 0u);
}

TEST_F(Protection, cpuid_counts_instructions_and_not_the_time_that_the_cpu_is_halted) {
  long_mode();
  // MOV EAX, leaf; CPUID; MOV ESI, EAX; NOP; NOP; MOV EAX, leaf; CPUID; HLT
  put(program, {0xB8, 0x56, 0x54, 0x43, 0x4F, 0x0F, 0xA2, 0x89, 0xC6, 0x90, 0x90, 0xB8, 0x56, 0x54, 0x43, 0x4F, 0x0F,
                0xA2, 0xF4});
  run();
  EXPECT_EQ(reg(rbx), VITRINE_INSTRUCTION_COUNT_MAGIC);
  EXPECT_EQ(reg(rdx), 0u);
  EXPECT_EQ(reg(rax) - reg(rsi), 5u);
  const u64 first = reg(rax);
  cpu->context.clock.advance_to(Tick(cpu->context.clock.now().value + 1'000'000));
  cpu->state.halted = false;
  cpu->state.rip = program;
  run();
  EXPECT_EQ(reg(rax) - first, 8u);
}

}  // namespace
}  // namespace vitrine
