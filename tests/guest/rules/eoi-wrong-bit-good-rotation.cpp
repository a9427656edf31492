// Rotating priorities: the order of service is not the order of pins, and a specific EOI says which one ends (8259A
// data sheet, Equal Priority Devices).
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 second, first;

INTERRUPT_HANDLER(com2_handler) {
  uart_quiet(com2);
  second = second + 1;
  uart_raise(com1);
  window();  // 4 is the highest now
  out8(0x20, 0x63);
}

INTERRUPT_HANDLER(com1_handler) {
  uart_quiet(com1);
  first = first + 1;
  out8(0x20, 0xA0);  // rotate on non-specific EOI
}

}  // namespace

void guest_main() {
  set_irq_handler(3, com2_handler);
  set_irq_handler(4, com1_handler);
  pic_allow(1 << 3 | 1 << 4);
  out8(0x20, 0xC0 | 3);  // 3 is the lowest
  uart_raise(com2);
  window();
  check("COM2 comes", second, 1);
  check("COM1 nests in it", first, 1);
  check("nothing is in service", pic_in_service(), 0);
  out8(0x20, 0xC0 | 7);
}
