// The keyboard's handler ends its interrupt: the next ones come.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 keys, transmitted;

INTERRUPT_HANDLER(keyboard_handler) {
  (void)in8(0x60);
  keys = keys + 1;
  pic_end(1);
}

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  transmitted = transmitted + 1;
  pic_end(4);
}

}  // namespace

void guest_main() {
  set_irq_handler(1, keyboard_handler);
  set_irq_handler(4, serial_handler);
  i8042_start();
  pic_allow(1 << 1 | 1 << 4);
  keyboard_raise();
  window();
  check("the first key comes", keys, 1);
  uart_raise(com1);
  spend_millions_with_interrupts(12);
  check("so does the serial port", transmitted, 1);
  keyboard_raise();
  window();
  check("and the second key", keys, 2);
}
