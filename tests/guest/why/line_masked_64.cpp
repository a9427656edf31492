// COM1 asks, and its line was masked again after its start.
#include "tests/guest/runtime/interrupt.hpp"

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  pic_end(4);
}

[[gnu::noinline]] void quiesce() {
  asm volatile("outb %0, $0x21" ::"a"(u8{0xFF}));  // why: mask
}

void guest_main() {
  set_irq_handler(4, serial_handler);
  pic_allow(1 << 4);
  quiesce();
  uart_raise(com1);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
