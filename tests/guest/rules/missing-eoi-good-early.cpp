// The handler ends its interrupt first and lets others in while it works: they nest, each ends its own.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 keys, transmitted, nested;

INTERRUPT_HANDLER(keyboard_handler) {
  (void)in8(0x60);
  pic_end(1);
  keys = keys + 1;
  if (keys == 1) {
    uart_raise(com1);
    window();
    nested = transmitted;
  }
}

INTERRUPT_HANDLER(serial_handler) {
  pic_end(4);
  uart_quiet(com1);
  transmitted = transmitted + 1;
  if (transmitted == 1) {
    keyboard_raise();
    window();
  }
}

}  // namespace

void guest_main() {
  set_irq_handler(1, keyboard_handler);
  set_irq_handler(4, serial_handler);
  i8042_start();
  pic_allow(1 << 1 | 1 << 4);
  keyboard_raise();
  spend_millions_with_interrupts(12);
  check("the serial port nests in the keyboard", nested, 1);
  check("and the keyboard in that", keys, 2);
  check("nothing is in service", pic_in_service(), 0);
}
