// A spurious IRQ 15, handled as it should be: the second 8259 has no bit 7 in service, so only the first gets an EOI.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 spurious, real;

INTERRUPT_HANDLER(ata_handler) {
  if ((pic_in_service(0xA0) & 0x80) == 0) {
    spurious = spurious + 1;
  } else {
    real = real + 1;
    out8(0xA0, 0x20);
  }
  out8(0x20, 0x20);
}

}  // namespace

void guest_main() {
  set_irq_handler(15, ata_handler);
  i8042_start();
  pic_allow(1 << 15 | 1 << 12 | 1 << 2);
  mouse_raise();
  out8(0x20, 0x0C);  // poll: what the first 8259 has latched stays (QEMU needs no poll)
  out8(0xA1, static_cast<u8>(in8(0xA1) | 1 << 4));
  window();
  (void)in8(0x20);  // the end of the poll
  check("a spurious IRQ 15", spurious, 1);
  check("no real one", real, 0);
  check("the first 8259 has nothing in service", pic_in_service(), 0);
  (void)in8(0x60);
}
