// The handler masks its line and leaves the rest to a task, which unmasks: what came meanwhile waits only so long.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 keys;

INTERRUPT_HANDLER(keyboard_handler) {
  (void)in8(0x60);
  out8(0x21, static_cast<u8>(in8(0x21) | 1 << 1));
  pic_end(1);
  keys = keys + 1;
}

}  // namespace

void guest_main() {
  set_irq_handler(1, keyboard_handler);
  i8042_start();
  pic_allow(1 << 1);
  keyboard_raise();
  window();
  keyboard_raise();
  spend_millions_with_interrupts(12);
  check("the second key waits for the task", keys, 1);
  pic_allow(1 << 1);
  window();
  check("which lets it in", keys, 2);
}
