// A page-fault handler that takes the error code off the stack before it returns.
#include "tests/guest/runtime/entry.hpp"

extern "C" {
word* hole;  ///< the entry of the page directory that maps `beyond`
constinit word beyond = 0x3000000;
}
#if GUEST_64
extern "C" u64 guest_boot_tables[];
#else
alignas(4096) word page_directory[1024];
#endif

namespace {

[[gnu::naked]] void page_fault() {
  asm volatile("push %" R "ax");
  asm volatile("mov hole, %" R "ax");
  asm volatile("orl $1, (%" R "ax)");  // the page is there now
  asm volatile("pop %" R "ax");
  asm volatile("add $" WORD_BYTES ", %" R "sp");  // the error code
  asm volatile(IRET);
}

void make_hole() {
#if GUEST_64
  hole = reinterpret_cast<word*>(guest_boot_tables) + 1024 + beyond / 0x200000;
#else
  for (word i = 0; i < 1024; ++i) page_directory[i] = i << 22 | 0x83;
  set_cr3(reinterpret_cast<word>(page_directory));
  set_cr4(cr4() | cr4_pse);
  set_cr0(cr0() | cr0_pg);
  hole = page_directory + (beyond >> 22);
#endif
  *hole &= ~word{1};
  invalidate(reinterpret_cast<const void*>(beyond));
}

void touch() { asm volatile("mov beyond, %%" R "ax; incl (%%" R "ax)" ::: "rax", "memory"); }

}  // namespace

void guest_main() {
  make_hole();
  set_entry(14, page_fault);
  const Trap trap = run(touch);
  check("the access is made again and succeeds", trap.vector, no_trap);
}
