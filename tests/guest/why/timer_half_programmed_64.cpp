// The timer gets its mode and the low byte of its count; it waits for the high byte.
#include "tests/guest/runtime/interrupt.hpp"

INTERRUPT_HANDLER(timer_handler) { pic_end(0); }

[[gnu::noinline]] void timer_start() {
  asm volatile("outb %0, $0x43" ::"a"(u8{0x30}));  // why: half
  out8(0x40, 0x9C);
}

void guest_main() {
  set_irq_handler(0, timer_handler);
  timer_start();
  pic_allow(1 << 0);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
