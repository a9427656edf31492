// IF is clear for as long as it takes to copy a table; the long computation runs with interrupts let in.
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
  interrupts_off();
  pit_start(0, 1193);
  interrupts_on();
  spend_millions(5);
  while (ticks == 0) {
  }
  interrupts_off();
  check("the tick comes", ticks, 1);
}
