// ARPL writes its operand only if it changes it, so an operand that is good already may stand in a segment that must
// not be written (SDM vol. 2, ARPL).
#include "tests/guest/runtime/guest.hpp"

extern "C" {
u16 selector_below = 0x48, selector_above = 0x4B;
}

#define WITH_READ_ONLY_DS "push %ds; movl $0x48, %eax; movl %eax, %ds; movl $2, %ecx"
PROBE(raises, WITH_READ_ONLY_DS, "arpl %cx, selector_below", "pop %ds")
PROBE(leaves, WITH_READ_ONLY_DS, "arpl %cx, selector_above", "pop %ds")

namespace {
bool adjust(u16& selector, u16 by) {
  bool zero;
  asm volatile("arpl %2, %0" : "+m"(selector), "=@ccz"(zero) : "r"(by));
  return zero;
}
}  // namespace

void guest_main() {
  u16 selector = 0x48;
  check("a lower RPL is raised", adjust(selector, 2), true);
  check("to that of the source", selector, 0x4A);
  check("an equal one is left", adjust(selector, 2), false);
  check("a higher one too", adjust(selector, 1), false);
  check("as it was", selector, 0x4A);

  put_descriptor(free_selector, descriptor(0, 0xFFFFF, 0x91, 0xC0));  // data, read only
  CHECK_NO_TRAP(leaves);
  const NotCompared here("SDM vol. 3, 5.5");
  CHECK_FAULT(raises, 13, 0);
}
