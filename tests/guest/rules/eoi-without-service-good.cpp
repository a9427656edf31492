// The handler is run by its interrupt. Both 8259s at the end: the first of automatic EOI, where an EOI more does
// nothing.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 keys;

INTERRUPT_HANDLER(keyboard_handler) {
  (void)in8(0x60);
  keys = keys + 1;
  pic_end(1);
}

}  // namespace

void guest_main() {
  set_irq_handler(1, keyboard_handler);
  i8042_start();
  pic_allow(1 << 1);
  keyboard_raise();
  window();
  check("the key comes", keys, 1);
  pic_start(irq_base, irq_base + 8, 0x03);
  pic_allow(1 << 1);
  keyboard_raise();
  window();
  check("with automatic EOI too", keys, 2);
}
