// A driver that runs as a task: the handler only masks the line and ends the interrupt, the task takes the byte and
// unmasks. Another ends its own interrupt late, from a task, but before it stands in anybody's way for long.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 keys, transmitted;

INTERRUPT_HANDLER(keyboard_handler) {
  out8(0x21, static_cast<u8>(in8(0x21) | 1 << 1));
  out8(0x20, 0x61);
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
  pic_allow(1 << 1 | 1 << 4);
  keyboard_raise();
  spend_millions_with_interrupts(12);
  check("the key comes", keys, 1);
  (void)in8(0x60);
  out8(0x21, static_cast<u8>(in8(0x21) & ~(1 << 1)));
  for (int i = 0; i < 2; ++i) {
    uart_raise(com1);
    spend_millions_with_interrupts(1);
    out8(0x20, 0x64);
  }
  check("the serial port comes each time", transmitted, 2);
}
