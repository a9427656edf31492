// Special fully nested mode: the first 8259 gets its EOI only when nothing is left in service at the second (8259A data
// sheet, The Special Fully Nested Mode). The clock (IRQ 8) nests in the mouse's handler (IRQ 12).
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 moves, updates, transmitted;
volatile u8 left_in_service;

u8 clock_register(u8 index) {
  out8(0x70, index);
  return in8(0x71);
}
void set_clock_register(u8 index, u8 value) {
  out8(0x70, index);
  out8(0x71, value);
}

void end_nested() {
  out8(0xA0, 0x20);
  left_in_service = pic_in_service(0xA0);
  if (left_in_service == 0) out8(0x20, 0x20);
}

INTERRUPT_HANDLER(clock_handler) {
  (void)clock_register(0x0C);
  set_clock_register(0x0B, 0x02);
  updates = updates + 1;
  end_nested();
}

INTERRUPT_HANDLER(mouse_handler) {
  (void)in8(0x60);
  moves = moves + 1;
  out8(0xA1, static_cast<u8>(in8(0xA1) & ~(1 << 0)));
  window();
  check("the clock's handler left the mouse in service", left_in_service, 1 << 4);
  end_nested();
}

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  transmitted = transmitted + 1;
  pic_end(4);
}

}  // namespace

void guest_main() {
  set_irq_handler(8, clock_handler);
  set_irq_handler(12, mouse_handler);
  set_irq_handler(4, serial_handler);
  i8042_start();
  pic_start(irq_base, irq_base + 8, 0x11);
  pic_allow(1 << 12 | 1 << 4 | 1 << 2);
  set_clock_register(0x0A, 0x23);  // 8192 Hz
  (void)clock_register(0x0C);
  set_clock_register(0x0B, 0x42);  // periodic interrupt
  while ((pic_requests(0xA0) & 1) == 0) {
  }
  mouse_raise();
  window();
  check("the mouse comes", moves, 1);
  check("the clock nests in it", updates, 1);
  uart_raise(com1);
  spend_millions_with_interrupts(12);
  check("afterwards nothing is in the serial port's way", transmitted, 1);
}
