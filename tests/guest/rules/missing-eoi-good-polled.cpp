// The poll command: the read is the acknowledge, no handler runs, and the EOI comes when the work is done (8259A data
// sheet, The Poll Command).
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 transmitted;

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  transmitted = transmitted + 1;
  pic_end(4);
}

}  // namespace

void guest_main() {
  set_irq_handler(4, serial_handler);
  i8042_start();
  pic_allow(1 << 1 | 1 << 4);
  keyboard_raise();
  out8(0x20, 0x0C);
  check("the poll word names the keyboard", in8(0x20), 0x81);
  (void)in8(0x60);
  uart_raise(com1);
  spend_millions_with_interrupts(5);
  check("meanwhile the serial port waits", transmitted, 0);
  out8(0x20, 0x20);
  spend_millions_with_interrupts(12);
  check("after the EOI it comes", transmitted, 1);
}
