// INT 0x21 runs the keyboard's handler "to test it". No 8259 has asked for it, so there is nothing for its EOI to end.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 keys;

INTERRUPT_HANDLER(keyboard_handler) {
  keys = keys + 1;
  pic_end(1);
}

}  // namespace

void guest_main() {
  set_irq_handler(1, keyboard_handler);
  pic_allow(1 << 1);
  asm volatile("int $0x21" ::: "memory");
  check("the handler ran", keys, 1);
}
