// Page faults of 4-level paging: error code, CR2, rights, NX, WP, reserved bits, SMEP and SMAP, A and D (SDM vol.
// 3, 4.5 to 4.8).
#include "tests/guest/runtime/guest.hpp"

extern "C" {
extern u64 guest_boot_tables[];
alignas(4096) u64 small_table[512];
alignas(4096) u8 target_page[4096];
}

namespace {

constexpr word window_address = word{512} << 20;  // linear 512 MiB: entry 256 of the directory, pages of 4 KiB
constexpr u64 present = 1, writable = 2, user = 4, accessed = 0x20, dirty = 0x40, no_execute = u64{1} << 63;

void map(u64 rights) {
  small_table[0] = rights == 0 ? 0 : reinterpret_cast<word>(target_page) | rights;
  invalidate(reinterpret_cast<void*>(window_address));
}
u64 entry_bits() { return small_table[0] & 0xFFF; }

}  // namespace

PROBE(read_it, "", "movl 0x20000010, %eax", "int $0x80")
PROBE(write_it, "", "movl %eax, 0x20000010", "int $0x80")
PROBE(call_it, "", "movl $0x20000020, %eax; call *%rax", "int $0x80")
PROBE(write_twice, "", "addl $1, 0x20000010", "int $0x80")
PROBE(over_the_end, "", "movl 0x20000FFE, %eax", "int $0x80")
PROBE(not_canonical, "movq $0x800000000000, %rdx", "movl (%rdx), %eax", "int $0x80")
PROBE(not_canonical_stack, "movq %rsp, %rdx; movq $0x800000000000, %rsp", "popq %rax", "int $0x80")
PROBE(jump_not_canonical, "movq $0x800000000000, %rdx", "jmp *%rdx", "int $0x80")
PROBE(stac_read, "stac", "movl 0x20000010, %eax", "clac; int $0x80")

namespace {

void faults(const char* what, const Trap& trap, word error, word cr2_expected, const char* at) {
  check_trap(what, trap, 14, error, at);
  check("    CR2", trap.cr2, cr2_expected);
}
void works(const char* what, const Trap& trap) { check(what, trap.vector, 0x80); }

}  // namespace

void guest_main() {
  set_gate_dpl(0x80, 3);
  u64* directory = guest_boot_tables + 1024;
  directory[256] = reinterpret_cast<word>(small_table) | present | writable | user;
  target_page[0x20] = 0xC3;
  constexpr word at = window_address + 0x10;

  map(0);
  faults("not present: read", run(read_it), 0, at, read_it_at);
  faults("not present: write", run(write_it), 2, at, write_it_at);
  faults("not present: user read", run_user(read_it), 4, at, read_it_at);
  faults("not present: user write", run_user(write_it), 6, at, write_it_at);
  faults("not present: fetch", run(call_it), 0x10, window_address + 0x20,
         reinterpret_cast<char*>(window_address + 0x20));

  map(present | user);
  works("read-only: read", run(read_it));
  faults("read-only: user write", run_user(write_it), 7, at, write_it_at);
  works("read-only: ring 0 writes, without WP", run(write_it));
  set_cr0(cr0() | cr0_wp);
  faults("read-only: ring 0 writes, with WP", run(write_it), 3, at, write_it_at);
  set_cr0(cr0() & ~cr0_wp);

  map(present | writable);
  works("supervisor: ring 0 reads", run(read_it));
  faults("supervisor: user read", run_user(read_it), 5, at, read_it_at);
  faults("supervisor: user write", run_user(write_it), 7, at, write_it_at);

  map(present | writable | user | no_execute);
  works("NX: read", run_user(read_it));
  faults("NX: fetch", run(call_it), 0x11, window_address + 0x20, reinterpret_cast<char*>(window_address + 0x20));
  faults("NX: user fetch", run_user(call_it), 0x15, window_address + 0x20,
         reinterpret_cast<char*>(window_address + 0x20));
  write_msr(msr_efer, read_msr(msr_efer) & ~u64{0x800});
  {
    const NotCompared here("SDM vol. 3, 4.7: RSVD comes with P");
    faults("NX without NXE is a reserved bit", run(read_it), 9, at, read_it_at);
  }
  write_msr(msr_efer, read_msr(msr_efer) | 0x800);

  map(present | writable | user | u64{1} << 51);
  {
    const NotCompared here("SDM vol. 3, 4.7: RSVD comes with P");
    faults("a reserved bit", run(read_it), 9, at, read_it_at);
    faults("a reserved bit: user write", run_user(write_it), 0xF, at, write_it_at);
  }

  map(present | writable | user);
  check("A and D start clear", entry_bits(), present | writable | user);
  works("read", run(read_it));
  check("a read sets A only", entry_bits(), present | writable | user | accessed);
  works("write", run(write_it));
  check("a write sets D", entry_bits(), present | writable | user | accessed | dirty);
  map(present | user);
  set_cr0(cr0() | cr0_wp);
  run(write_it);
  check_alone("a write that faults sets no D", entry_bits() & dirty, 0, "SDM vol. 3, 4.8");
  set_cr0(cr0() & ~cr0_wp);
  map(present | writable | user);
  works("read, modify, write", run(write_twice));
  check("sets both", entry_bits(), present | writable | user | accessed | dirty);
  check("directory: A", directory[256] & accessed, accessed);

  small_table[1] = 0;
  invalidate(reinterpret_cast<void*>(window_address + 4096));
  faults("over a page's end: the second page's address", run(over_the_end), 0, window_address + 4096, over_the_end_at);

  check_trap("not canonical: #GP", run(not_canonical), 13, 0, not_canonical_at);
  {
    const NotCompared here("SDM vol. 2, JMP; vol. 3, 6.15, interrupt 12");
    check_trap("a jump there: #GP at the jump", run(jump_not_canonical), 13, 0, jump_not_canonical_at);
    check_trap("by the stack: #SS", run_user(not_canonical_stack), 12, 0, not_canonical_stack_at);
  }

  // SMEP and SMAP: all of memory but the page must be the supervisor's, or we could not run.
  const auto own = [&](bool hide) {
    for (int i = 0; i < 256; ++i) directory[i] = hide ? directory[i] & ~user : directory[i] | user;
    set_cr3(cr3());
  };
  own(true);
  map(present | writable | user);
  set_cr4(cr4() | cr4_smep);
  faults("SMEP: ring 0 runs a user page", run(call_it), 0x11, window_address + 0x20,
         reinterpret_cast<char*>(window_address + 0x20));
  set_cr4(cr4() & ~cr4_smep);
  works("without SMEP it may", run(call_it));
  set_cr4(cr4() | cr4_smap);
  faults("SMAP: ring 0 reads a user page", run(read_it), 1, at, read_it_at);
  faults("SMAP: ring 0 writes a user page", run(write_it), 3, at, write_it_at);
  works("with AC it may", run(stac_read));
  set_cr4(cr4() & ~cr4_smap);
  works("without SMAP it may", run(read_it));
}
