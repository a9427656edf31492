// Paging of 32-bit mode, with PSE and with PAE: faults, error codes, CR2, A and D (SDM vol. 3, 4.3, 4.4 and 4.7).
#include "tests/guest/runtime/guest.hpp"

extern "C" {
alignas(4096) u32 directory[1024];
alignas(4096) u32 table[1024];
alignas(4096) u64 pae_directory[512];
alignas(4096) u64 pae_table[512];
alignas(32) u64 pae_pointers[4];
alignas(4096) u8 target_page[4096];
}

namespace {

constexpr u32 window_address = 512u << 20;
constexpr u32 present = 1, writable = 2, user = 4, accessed = 0x20, dirty = 0x40, large = 0x80;

void invalidate_window() { invalidate(reinterpret_cast<void*>(window_address)); }

}  // namespace

PROBE(read_it, "", "movl 0x20000010, %eax", "int $0x80")
PROBE(write_it, "", "movl %eax, 0x20000010", "int $0x80")
PROBE(large_read, "", "movl 0x20400010, %eax", "int $0x80")
PROBE(large_write, "", "movl %eax, 0x20400010", "int $0x80")
PROBE(push_there, "movl %esp, %edx; movl $0x20000014, %esp", "pushl %eax", "movl %edx, %esp; int $0x80")

namespace {

void faults(const char* what, const Trap& trap, word error, const char* at) {
  check_trap(what, trap, 14, error, at);
  check("    CR2", trap.cr2, window_address + 0x10);
}
void works(const char* what, const Trap& trap) { check(what, trap.vector, 0x80); }

template <typename Entry>
void with(Entry& entry, u64 frame) {
  const auto map = [&](u64 rights) {
    entry = static_cast<Entry>(rights == 0 ? 0 : frame | rights);
    invalidate_window();
  };
  map(0);
  faults("not present: read", run(read_it), 0, read_it_at);
  faults("not present: user write", run_user(write_it), 6, write_it_at);
  map(present | user);
  works("read-only: user read", run_user(read_it));
  faults("read-only: user write", run_user(write_it), 7, write_it_at);
  works("read-only: ring 0 writes, without WP", run(write_it));
  set_cr0(cr0() | cr0_wp);
  faults("read-only: ring 0 writes, with WP", run(write_it), 3, write_it_at);
  set_cr0(cr0() & ~cr0_wp);
  faults("read-only: user PUSH", run_user(push_there), 7, push_there_at);
  map(present | writable);
  faults("supervisor: user read", run_user(read_it), 5, read_it_at);
  map(present | writable | user);
  works("read", run(read_it));
  check("a read sets A only", entry & 0xFFF, present | writable | user | accessed);
  works("write", run(write_it));
  check("a write sets D", entry & 0xFFF, present | writable | user | accessed | dirty);
}

}  // namespace

void guest_main() {
  set_gate_dpl(0x80, 3);
  const auto frame = reinterpret_cast<u32>(target_page);
  for (u32 i = 0; i < 16; ++i) directory[i] = i << 22 | large | user | writable | present;
  directory[128] = reinterpret_cast<u32>(table) | user | writable | present;
  directory[129] = 0 << 22 | large | writable | present;
  set_cr4(cr4() | cr4_pse);
  set_cr3(reinterpret_cast<word>(directory));
  set_cr0(cr0() | cr0_pg);
  print("32-bit paging\n");
  with(table[0], frame);
  check("the directory's A", directory[128] & accessed, accessed);
  check("a large page: read", run(large_read).vector, 0x80);
  check("A", directory[129] & (accessed | dirty), accessed);
  check("a large page: write", run(large_write).vector, 0x80);
  check("A and D", directory[129] & (accessed | dirty), accessed | dirty);
  check_trap("a large page of the supervisor", run_user(large_read), 14, 5, large_read_at);
  // Rights are those of both levels together.
  table[0] = frame | user | writable | present;
  directory[128] &= ~writable;
  set_cr3(cr3());
  check_trap("a read-only directory entry", run_user(write_it), 14, 7, write_it_at);
  set_cr0(cr0() & ~cr0_pg);

  for (u32 i = 0; i < 32; ++i) pae_directory[i] = i << 21 | large | user | writable | present;
  pae_pointers[0] = reinterpret_cast<u32>(pae_directory) | present;
  pae_directory[256] = reinterpret_cast<u32>(pae_table) | user | writable | present;
  set_cr4(cr4() | cr4_pae);
  set_cr3(reinterpret_cast<word>(pae_pointers));
  set_cr0(cr0() | cr0_pg);
  print("PAE paging\n");
  with(pae_table[0], frame);
  {
    const NotCompared here("SDM vol. 3, 4.7: RSVD comes with P");
    pae_table[0] = frame | user | writable | present | u64{1} << 62;
    invalidate_window();
    faults("a reserved bit", run(read_it), 9, read_it_at);
  }
  set_cr0(cr0() & ~cr0_pg);
}
