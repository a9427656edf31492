// Automatic EOI (ICW4 bit 1): the acknowledge ends the interrupt, no handler does.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 keys, transmitted;

INTERRUPT_HANDLER(keyboard_handler) {
  (void)in8(0x60);
  keys = keys + 1;
}

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  transmitted = transmitted + 1;
}

}  // namespace

void guest_main() {
  set_irq_handler(1, keyboard_handler);
  set_irq_handler(4, serial_handler);
  i8042_start();
  pic_start(irq_base, irq_base + 8, 0x03);
  pic_allow(1 << 1 | 1 << 4);
  for (int i = 0; i < 2; ++i) {
    keyboard_raise();
    uart_raise(com1);
    spend_millions_with_interrupts(12);
  }
  check("both keys come", keys, 2);
  check("and both of the serial port", transmitted, 2);
  check("nothing is in service", pic_in_service(), 0);
}
