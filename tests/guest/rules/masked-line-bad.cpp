// The mouse's line is open at the second 8259, but the first one's pin 2, to which that is connected, is masked.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 moves;

INTERRUPT_HANDLER(mouse_handler) {
  (void)in8(0x60);
  moves = moves + 1;
  pic_end(12);
}
INTERRUPT_HANDLER(keyboard_handler) {
  (void)in8(0x60);
  pic_end(1);
}

}  // namespace

void guest_main() {
  set_irq_handler(12, mouse_handler);
  set_irq_handler(1, keyboard_handler);
  i8042_start();
  pic_allow(1 << 12 | 1 << 2);
  // "Open the keyboard": the mask is written whole, and pin 2 is closed again.
  asm volatile("outb %0, $0x21" ::"a"(u8{0xFF & ~(1 << 1)}) : "memory");
  mouse_raise();
  spend_millions_with_interrupts(120);
  check("the mouse does not come", moves, 0);
  check("though the second 8259 asks for it", pic_requests(0xA0) & 1 << 4, 1 << 4);
}
