// A lock is taken with interrupts off and never given back.
#include "tests/guest/runtime/interrupt.hpp"

INTERRUPT_HANDLER(timer_handler) { pic_end(0); }

volatile u32 lock_word = 1;

[[gnu::noinline]] void lock_and_disable() {
  asm volatile("cli" ::: "memory");  // why: cli
  while (lock_word != 0) {
  }
}

void guest_main() {
  set_irq_handler(0, timer_handler);
  pit_start(2, 11932);
  pic_allow(1 << 0);
  interrupts_on();
  spend_millions(25);
  lock_and_disable();
}
