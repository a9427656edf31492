// What cached blocks, links and the jump cache must not change: the code that runs is the code at CS:RIP.
#include "machine/cpu/system_test_bench.hpp"

namespace vitrine {
namespace {

using Blocks = SystemBench;

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

TEST_F(Blocks, page_fault_drops_the_translation_that_it_refuses) {
  protected_mode();
  set_gate(14);
  for (u32 i = 0; i < 1024; ++i) store<u32>(0x30000 + i * 4, i << 12 | 3);
  store<u32>(page_tables, 0x30003);
  store<u32>(0x30000 + 0x100 * 4, 0x100001);  // read only
  cpu->state.cr3 = page_tables;
  cpu->state.cr0 |= cr0_bit::pg | cr0_bit::wp;
  cpu->state_changed();
  store<u32>(0x100000, 0x11);
  store<u32>(0x101000, 0x22);
  put(program, {0xA1, 0, 0, 0x10, 0, 0xA3, 0, 0, 0x10, 0, 0xF4});  // mov eax, [100000h]; mov [100000h], eax
  put(handler(14), {0xC7, 0x05, 0, 4, 3, 0, 3, 0x10, 0x10, 0, 0x8B, 0x1D, 0, 0, 0x10, 0, 0xF4});
  // mov dword [PTE], 101003h; mov ebx, [100000h]
  run();
  EXPECT_EQ(reg(rax), 0x11u);
  EXPECT_EQ(reg(rbx), 0x22u);
}

TEST(Tlb, counts_no_more_filled_slots_than_it_must_know) {
  // 2^32 fills without a flush once made the count start again, and the next flush forget most entries.
  const auto bank = std::make_unique<TlbBank>();
  for (unsigned i = 0; i < 2 * TlbBank::most_filled; ++i) bank->note(0, i % TlbBank::data_entries);
  EXPECT_EQ(bank->filled_count, TlbBank::most_filled + 1);
}

}  // namespace
}  // namespace vitrine
