// INTO and BOUND, which 64-bit mode no longer has (SDM vol. 3, 6.15, interrupts 4 and 5).
#include "tests/guest/runtime/guest.hpp"

PROBE(into_with_overflow, "movl $0x7FFFFFFF, %eax; addl $1, %eax", "into", "")
PROBE(into_without_overflow, "xorl %eax, %eax", "into", "")
PROBE(bound_below, "movl $4, %eax", ".byte 0x62, 0x05; .long limits", "")
PROBE(bound_inside, "movl $9, %eax", ".byte 0x62, 0x05; .long limits", "")
PROBE(bound_above, "movl $10, %eax", ".byte 0x62, 0x05; .long limits", "")
PROBE(bound_word_negative, "movl $-6, %eax", ".byte 0x66, 0x62, 0x05; .long word_limits", "")
asm(".data; limits: .long 5, 9; word_limits: .word -5, 5");

void guest_main() {
  CHECK_TRAP(into_with_overflow, 4, 0);
  CHECK_NO_TRAP(into_without_overflow);
  CHECK_FAULT(bound_below, 5, 0);
  CHECK_NO_TRAP(bound_inside);
  CHECK_FAULT(bound_above, 5, 0);
  CHECK_FAULT(bound_word_negative, 5, 0);
}
