// The timer's handler waits for a lock that the code it interrupted holds. The keyboard waits behind it.
#include "tests/guest/runtime/interrupt.hpp"

volatile u32 lock_word;

INTERRUPT_HANDLER(timer_handler) {               // why: handler
  while (lock_word != 0) asm volatile("pause");  // why: spin
  pic_end(0);
}

void guest_main() {
  set_irq_handler(0, timer_handler);
  pit_start(2, 11932);
  pic_allow(1 << 0 | 1 << 4);
  lock_word = 1;
  interrupts_on();
  spend_millions(25);
  lock_word = 0;
  for (;;) asm volatile("hlt");
}
