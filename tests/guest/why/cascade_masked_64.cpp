// The clock's line is open on the second 8259; the input of the first one that all of them come through is not.
#include "tests/guest/runtime/interrupt.hpp"

void rtc_write(u8 index, u8 value) {
  out8(0x70, static_cast<u8>(0x80 | index));
  out8(0x71, value);
}
u8 rtc_read(u8 index) {
  out8(0x70, static_cast<u8>(0x80 | index));
  return in8(0x71);
}

INTERRUPT_HANDLER(clock_handler) {
  (void)rtc_read(0x0C);
  pic_end(8);
}

[[gnu::noinline]] void open_clock_line() {
  out8(0xA1, 0xFE);
  out8(0x21, 0xFB);
  asm volatile("outb %0, $0x21" ::"a"(u8{0xFF}));  // why: mask
}

void guest_main() {
  set_irq_handler(8, clock_handler);
  open_clock_line();
  rtc_write(0x0B, 0x42);  // PIE, 24 hours
  (void)rtc_read(0x0C);
  interrupts_on();
  for (;;) asm volatile("pause");
}
