// The timer nests in the keyboard's handler, and each sends one EOI.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 ticks, keys;
volatile u8 in_service_after_tick;

INTERRUPT_HANDLER(timer_handler) {
  ticks = ticks + 1;
  pic_end(0);
}

INTERRUPT_HANDLER(keyboard_handler) {
  (void)in8(0x60);
  keys = keys + 1;
  pit_start(0, 1);
  interrupts_on();
  while (ticks == 0) {
  }
  interrupts_off();
  in_service_after_tick = pic_in_service();
  pic_end(1);
}

}  // namespace

void guest_main() {
  set_irq_handler(0, timer_handler);
  set_irq_handler(1, keyboard_handler);
  i8042_start();
  pit_start(0, 0);
  pic_allow(1 << 0 | 1 << 1);
  keyboard_raise();
  window();
  check("the key comes", keys, 1);
  check("the timer ticks in its handler", ticks, 1);
  check("which still is in service", in_service_after_tick, 1 << 1);
}
