// The mouse is polled: its line is open at the second 8259 only, and its byte is taken without an interrupt.
#include "tests/guest/runtime/interrupt.hpp"

void guest_main() {
  i8042_start();
  pic_allow(1 << 12 | 1 << 1);
  mouse_raise(0x2A);
  while ((in8(0x64) & 1) == 0) {
  }
  check("the byte is taken by hand", in8(0x60), 0x2A);
  spend_millions_with_interrupts(120);
}
