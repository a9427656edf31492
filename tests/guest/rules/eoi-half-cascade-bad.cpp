// The mouse is on the second 8259; its handler ends the interrupt there, and forgets the first one.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 moves, transmitted;

INTERRUPT_HANDLER(mouse_handler) {
  (void)in8(0x60);
  moves = moves + 1;
  out8(0xA0, 0x20);
}

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  transmitted = transmitted + 1;
  pic_end(4);
}

}  // namespace

void guest_main() {
  set_irq_handler(12, mouse_handler);
  set_irq_handler(4, serial_handler);
  i8042_start();
  pic_allow(1 << 12 | 1 << 4 | 1 << 2);
  mouse_raise();
  window();
  check("the mouse comes", moves, 1);
  uart_raise(com1);
  spend_millions_with_interrupts(12);
  check("the serial port waits behind the cascade", transmitted, 0);
  check("the second 8259 has nothing in service", pic_in_service(0xA0), 0);
  check("the first has its pin 2", pic_in_service(), 1 << 2);
}
