// What cached blocks, links and the jump cache must not change: the code that runs is the code at CS:RIP.
#include "machine/cpu/system_test_bench.hpp"

namespace vitrine {
namespace {

using Blocks = SystemBench;

TEST_F(Blocks, indirect_jump_to_the_same_offset_in_another_code_segment_runs_that_segments_code) {
  real_mode();
  reg(rdx) = 0;
  put(0x10100, {0xB3, 1, 0xEA, 0x00, 0x05, 0x00, 0x00});  // 1000:0100: mov bl, 1; jmp 0:500
  put(0x20100, {0xB3, 2, 0xF4});                          // 2000:0100: mov bl, 2; hlt
  put(0x10000, {0xFF, 0xE0});                             // 1000:0000: jmp ax
  put(0x20000, {0xFF, 0xE0});                             // 2000:0000: jmp ax
  put(0x500, {0xB8, 0x00, 0x01, 0x42, 0x83, 0xFA, 0x02, 0x74, 0x05, 0xEA, 0, 0, 0, 0x10, 0xEA, 0, 0, 0, 0x20});
  // mov ax, 100h; inc dx; cmp dx, 2; je +5; jmp 1000:0; jmp 2000:0
  run();
  EXPECT_TRUE(cpu->state.halted);
  EXPECT_EQ(reg(rbx) & 0xFF, 2u);
}

TEST_F(Blocks, branch_out_of_a_page_that_is_mapped_twice_follows_the_mapping_it_runs_in) {
  protected_mode();
  // 100000h and 180000h show the same page; behind them are different ones.
  for (u32 i = 0; i < 1024; ++i) store<u32>(0x30000 + i * 4, i << 12 | 3);
  store<u32>(page_tables, 0x30003);
  store<u32>(0x30000 + 0x180 * 4, 0x100003);
  cpu->state.cr3 = page_tables;
  cpu->state.cr0 |= cr0_bit::pg;
  cpu->state_changed();
  put(0x100F00, {0xE9, 0xFB, 0x00, 0x00, 0x00});  // jmp to the next page
  put(0x101000, {0x43, 0xFF, 0xE6});              // inc ebx; jmp esi
  put(0x181000, {0x41, 0xF4});                    // inc ecx; hlt
  put(program, {0xBE, 0x0C, 0x00, 0x01, 0x00, 0xB8, 0x00, 0x0F, 0x10, 0x00, 0xFF, 0xE0});
  // mov esi, program + 12; mov eax, 100F00h; jmp eax
  put(program + 12, {0xB8, 0x00, 0x0F, 0x18, 0x00, 0xFF, 0xE0});  // mov eax, 180F00h; jmp eax
  run();
  EXPECT_EQ(reg(rbx), 1u);
  EXPECT_EQ(reg(rcx), 1u);
}

TEST_F(Blocks, code_that_runs_past_the_segments_limit_faults_at_the_first_byte_behind_it) {
  protected_mode();
  set_gate(13);
  set_descriptor(absent, descriptor(program, 0x0F, 0x9B, 0x4));
  enter(absent, data0, kernel_stack);
  cpu->state.rip = 0xD;
  put(program + 0xD, {0x43, 0x43, 0x43, 0x43, 0xF4});  // inc ebx, four times
  run();
  EXPECT_TRUE(in_handler(13));
  EXPECT_EQ(reg(rbx), 3u);
  EXPECT_EQ(load(kernel_stack - 12), 0x10u);
}

TEST_F(Blocks, instruction_that_reaches_past_the_segments_limit_faults) {
  protected_mode();
  set_gate(13);
  set_descriptor(absent, descriptor(program, 0x0F, 0x9B, 0x4));
  enter(absent, data0, kernel_stack);
  cpu->state.rip = 0xD;
  put(program + 0xD, {0x43, 0xB8, 1, 2, 3, 4, 0xF4});  // inc ebx; mov eax, imm32
  run();
  EXPECT_TRUE(in_handler(13));
  EXPECT_EQ(reg(rbx), 1u);
  EXPECT_EQ(load(kernel_stack - 12), 0xEu);
}

TEST_F(Blocks, flat_code_segment_can_not_be_written) {
  protected_mode();
  set_gate(13);
  put(program, {0x2E, 0xA3, 0, 0x50, 0, 0, 0xF4});  // mov cs:[5000h], eax
  run();
  EXPECT_TRUE(in_handler(13));
}

TEST_F(Blocks, reset_starts_the_stretch_with_interrupts_off_now) {
  clock.advance_to(Tick(1000));
  cpu->reset();
  EXPECT_EQ(cpu->state.interrupts_off_since, 1000u);
}

TEST_F(Blocks, invlpg_drops_all_of_a_large_page) {
  long_mode();
  store<u64>(0x200008, 0x11);
  store<u64>(0x201008, 0x22);
  store<u64>(0x1008, 0x33);
  put(program, {0x48, 0x8B, 0x04, 0x25, 8, 0x10, 0x20, 0,                 // mov rax, [201008h]
                0x48, 0xC7, 0x04, 0x25, 8, 0x20, 2,    0, 0x87, 0, 0, 0,  // mov qword [page directory + 8], 87h
                0x0F, 0x01, 0x3C, 0x25, 0, 0,    0x20, 0,                 // invlpg [200000h]
                0x48, 0x8B, 0x1C, 0x25, 8, 0x10, 0x20, 0,                 // mov rbx, [201008h]
                0xF4});
  run();
  EXPECT_EQ(reg(rax), 0x22u);
  EXPECT_EQ(reg(rbx), 0x33u);
}

/// Paging on, with one page at 100000h that is read only.
struct ReadOnlyPage : Blocks {
  void pages(u64 more_cr0) {
    protected_mode();
    set_gate(14);
    for (u32 i = 0; i < 1024; ++i) store<u32>(0x30000 + i * 4, i << 12 | 3);
    store<u32>(page_tables, 0x30003);
    store<u32>(0x30000 + 0x100 * 4, 0x100001);
    cpu->state.cr3 = page_tables;
    cpu->state.cr0 |= cr0_bit::pg | more_cr0;
    cpu->state_changed();
    store<u32>(0x100000, 0x11);
    store<u32>(0x101000, 0x22);
  }
};

TEST_F(ReadOnlyPage, page_fault_drops_the_translation_that_it_refuses) {
  pages(cr0_bit::wp);
  put(program, {0xA1, 0, 0, 0x10, 0, 0xA3, 0, 0, 0x10, 0, 0xF4});  // mov eax, [100000h]; mov [100000h], eax
  put(handler(14), {0xC7, 0x05, 0, 4, 3, 0, 3, 0x10, 0x10, 0, 0x8B, 0x1D, 0, 0, 0x10, 0, 0xF4});
  // mov dword [PTE], 101003h; mov ebx, [100000h]
  run();
  EXPECT_EQ(reg(rax), 0x11u);
  EXPECT_EQ(reg(rbx), 0x22u);
}

TEST_F(ReadOnlyPage, write_protection_refuses_at_once_what_its_absence_let_through) {
  pages(0);
  put(program, {0xA3, 0,    0,    0x10, 0,          // mov [100000h], eax
                0x0F, 0x20, 0xC3,                   // mov ebx, cr0
                0x81, 0xCB, 0,    0,    1, 0,       // or ebx, 10000h
                0x0F, 0x22, 0xC3,                   // mov cr0, ebx
                0xA3, 0,    0,    0x10, 0, 0xF4});  // mov [100000h], eax
  run();
  EXPECT_TRUE(in_handler(14));
}

// SDM vol. 3A §4.10.4.1: a change of CR0.WP invalidates nothing, and kernels toggle it around single writes.
TEST_F(ReadOnlyPage, toggling_write_protection_keeps_translations) {
  pages(cr0_bit::wp);
  put(program, {0xA1, 0,    0,    0x10, 0,                             // mov eax, [100000h]
                0xC7, 0x05, 0,    4,    3,    0, 3,    0x10, 0x10, 0,  // mov dword [PTE], 101003h
                0x0F, 0x20, 0xC1,                                      // mov ecx, cr0
                0x81, 0xF1, 0,    0,    1,    0, 0x0F, 0x22, 0xC1,     // xor ecx, 10000h; mov cr0, ecx
                0x81, 0xF1, 0,    0,    1,    0, 0x0F, 0x22, 0xC1,     // the same again
                0x8B, 0x1D, 0,    0,    0x10, 0, 0xF4});               // mov ebx, [100000h]
  run();
  EXPECT_EQ(reg(rax), 0x11u);
  EXPECT_EQ(reg(rbx), 0x11u) << "the page that the TLB holds";
}

TEST(Tlb, counts_no_more_filled_slots_than_it_must_know) {
  // 2^32 fills without a flush once made the count start again, and the next flush forget most entries.
  const auto bank = std::make_unique<TlbBank>();
  for (unsigned i = 0; i < 2 * TlbBank::most_filled; ++i) bank->note(0, i % TlbBank::data_entries);
  EXPECT_EQ(bank->filled_count, TlbBank::most_filled + 1);
}

}  // namespace
}  // namespace vitrine
