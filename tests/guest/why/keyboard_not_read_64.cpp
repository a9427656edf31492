// The keyboard's handler sends its EOI and leaves the byte where it is.
#include "tests/guest/runtime/interrupt.hpp"

INTERRUPT_HANDLER(keyboard_handler) {  // why: handler
  pic_end(1);
}

void guest_main() {
  set_irq_handler(1, keyboard_handler);
  pic_allow(1 << 1);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
