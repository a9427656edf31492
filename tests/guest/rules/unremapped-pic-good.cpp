// The vectors of both 8259s lie above the exceptions before interrupts are let in.
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
  pic_start(0x08, 0x70);  // the firmware's
  pic_start(0x20, 0x28);
  pit_start(0, 1);
  pic_allow(1 << 0);
  asm volatile("sti" ::: "memory");
  while (ticks == 0) {
  }
  interrupts_off();
  check("a tick comes as vector 0x20", ticks, 1);
}
