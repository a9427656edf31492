// A divisor of 40 instead of 11932: the timer ticks 29,830 times a second instead of 100.
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
  pit_start(2, 40);
  pic_allow(1 << 0);
  while (ticks < 25'000) wait_for_interrupt();
  pic_allow(0);
  check_true("the ticks come", ticks >= 25'000);
}
