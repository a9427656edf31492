// IRQ 4 is open and has its handler, but nobody told the UART to interrupt. Its loopback brings the byte.
#include "tests/guest/runtime/interrupt.hpp"

INTERRUPT_HANDLER(serial_handler) {
  (void)in8(com1);
  pic_end(4);
}

[[gnu::noinline]] void serial_start() {
  out8(com1 + 1, 0x01);
  out8(com1 + 4, 0x18);                                                       // OUT2, loopback
  asm volatile("outb %0, %1" ::"a"(u8{0}), "d"(static_cast<u16>(com1 + 1)));  // why: disable
}

void guest_main() {
  set_irq_handler(4, serial_handler);
  serial_start();
  pic_allow(1 << 4);
  interrupts_on();
  out8(com1, 'x');
  for (;;) asm volatile("hlt");
}
