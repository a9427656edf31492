// Special mask mode: a handler leaves its request in service but masked, so that it holds nothing back, and a task ends
// it much later with a specific EOI (8259A data sheet, Special Mask Mode).
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 keys, transmitted;

INTERRUPT_HANDLER(keyboard_handler) {
  (void)in8(0x60);
  keys = keys + 1;
  out8(0x21, static_cast<u8>(in8(0x21) | 1 << 1));
  out8(0x20, 0x68);  // special mask mode on
}

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  transmitted = transmitted + 1;
  out8(0x20, 0x64);  // specific EOI of 4
}

void keyboard_task() {
  out8(0x20, 0x61);  // specific EOI of 1
  out8(0x20, 0x48);  // special mask mode off
  out8(0x21, static_cast<u8>(in8(0x21) & ~(1 << 1)));
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
  {
    const NotCompared here("8259A data sheet, Special Mask Mode");
    check("the serial port passes it", transmitted, 1);
  }
  keyboard_task();
  keyboard_raise();
  window();
  check("the second key comes when the task has ended the first", keys, 2);
  keyboard_task();
}
