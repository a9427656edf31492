// Bit 0 of port 92 resets the CPU (IBM PS/2 Hardware Interface Technical Reference, system control port A).
#include "tests/guest/runtime/guest.hpp"

void guest_main() {
  print("ok   about to reset\n");
  out8(0x92, static_cast<u8>(in8(0x92) | 1));
  for (;;) asm volatile("pause");
}
