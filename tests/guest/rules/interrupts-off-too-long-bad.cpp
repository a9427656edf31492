// IF is cleared to copy a table, and set again only after a long computation that did not need it: the tick is late.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 ticks;

INTERRUPT_HANDLER(timer_handler) {
  ticks = ticks + 1;
  pic_end(0);
}

}  // namespace

void guest_main() {
  set_irq_handler(0, timer_handler);
  pit_start(0, 0);
  pic_allow(1 << 0);
  interrupts_on();
  asm volatile("cli" ::: "memory");
  pit_start(0, 1193);  // a tick in 1 ms
  spend_millions(5);
  interrupts_on();
  while (ticks == 0) {
  }
  interrupts_off();
  check("the tick comes, late", ticks, 1);
}
