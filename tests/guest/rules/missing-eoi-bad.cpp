// The keyboard's handler takes its byte and forgets the 8259: nothing of the same or lower priority comes any more.
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
  check("the serial port waits behind it", transmitted, 0);
  check("in service for ever", pic_in_service(), 1 << 1);
}
