// The mouse's line is open at both 8259s.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 moves;

INTERRUPT_HANDLER(mouse_handler) {
  (void)in8(0x60);
  moves = moves + 1;
  pic_end(12);
}

}  // namespace

void guest_main() {
  set_irq_handler(12, mouse_handler);
  i8042_start();
  pic_allow(1 << 12 | 1 << 2);
  mouse_raise();
  spend_millions_with_interrupts(12);
  check("the mouse comes", moves, 1);
}
