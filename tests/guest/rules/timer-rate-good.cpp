// A thousand ticks a second.
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
  pit_start(2, 1193);
  pic_allow(1 << 0);
  while (ticks < 300) wait_for_interrupt();
  pic_allow(0);
  check_true("the ticks come", ticks >= 300);
}
