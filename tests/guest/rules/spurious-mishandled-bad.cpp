// A spurious IRQ 15: the mouse asks, and is masked at the second 8259 before the CPU takes it. The handler treats it as
// real and sends an EOI to the second 8259, where another interrupt is in service: the clock's, which it interrupts.
// The poll command freezes what the first 8259 has latched (8259A data sheet, The Poll Command); QEMU needs none.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 updates, spurious;
volatile u8 in_service_before, in_service_after;

u8 clock_register(u8 index) {
  out8(0x70, index);
  return in8(0x71);
}
void set_clock_register(u8 index, u8 value) {
  out8(0x70, index);
  out8(0x71, value);
}

INTERRUPT_HANDLER(ata_handler) {
  spurious = spurious + 1;
  out8(0xA0, 0x20);
  out8(0x20, 0x20);
}

INTERRUPT_HANDLER(clock_handler) {
  (void)clock_register(0x0C);
  set_clock_register(0x0B, 0x02);
  updates = updates + 1;
  out8(0x20, 0x20);  // the first 8259 may send more; the second still serves the clock
  mouse_raise();
  out8(0xA0, 0xC0 | 0);  // the clock is the lowest: the mouse may nest
  out8(0x20, 0x0C);      // poll: freeze
  out8(0xA1, static_cast<u8>(in8(0xA1) | 1 << 4));
  in_service_before = pic_in_service(0xA0);
  window();
  (void)in8(0x20);  // the end of the poll
  in_service_after = pic_in_service(0xA0);
  out8(0xA0, 0x60);
}

}  // namespace

void guest_main() {
  set_irq_handler(8, clock_handler);
  set_irq_handler(15, ata_handler);
  i8042_start();
  set_clock_register(0x0A, 0x23);  // 8192 Hz
  (void)clock_register(0x0C);
  set_clock_register(0x0B, 0x42);  // periodic interrupt
  pic_allow(1 << 15 | 1 << 12 | 1 << 8 | 1 << 2);
  interrupts_on();
  while (updates == 0) {
  }
  interrupts_off();
  check("the clock comes", updates, 1);
  check("a spurious IRQ 15 in its handler", spurious, 1);
  check("until then the clock is in service", in_service_before, 1);
  check("then it is not any more", in_service_after, 0);
  (void)in8(0x60);
}
