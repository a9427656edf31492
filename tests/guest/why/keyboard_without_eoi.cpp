// The keyboard's handler reads its byte and returns. No EOI: the first key is the last.
#include "tests/guest/runtime/interrupt.hpp"

INTERRUPT_HANDLER(keyboard_handler) {  // why: handler
  (void)in8(0x60);
}

void guest_main() {
  set_irq_handler(1, keyboard_handler);
  pic_allow(1 << 1);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
