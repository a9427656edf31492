// The mouse's handler ends its interrupt at both 8259s; in another turn only the second asks for it, since the first
// ends its own automatically.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 moves, transmitted;
volatile bool first_is_automatic;

INTERRUPT_HANDLER(mouse_handler) {
  (void)in8(0x60);
  moves = moves + 1;
  out8(0xA0, 0x20);
  if (!first_is_automatic) out8(0x20, 0x20);
}

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  transmitted = transmitted + 1;
  if (!first_is_automatic) out8(0x20, 0x20);
}

}  // namespace

void guest_main() {
  set_irq_handler(12, mouse_handler);
  set_irq_handler(4, serial_handler);
  i8042_start();
  for (int i = 0; i < 2; ++i) {
    first_is_automatic = i == 1;
    pic_start(irq_base, irq_base + 8, first_is_automatic ? 0x03 : 0x01);
    pic_allow(1 << 12 | 1 << 4 | 1 << 2);
    mouse_raise();
    window();
    uart_raise(com1);
    spend_millions_with_interrupts(12);
  }
  check("the mouse comes twice", moves, 2);
  check("and so does the serial port", transmitted, 2);
}
