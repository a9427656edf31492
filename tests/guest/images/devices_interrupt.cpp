// Each device's own interrupt: keyboard and mouse controller, both ports' data, UARTs, PIT, RTC (IRQ 0, 1, 3, 4, 8,
// 12).
#include "tests/guest/runtime/pic.hpp"

namespace {

u32 count[16];
u8 bytes[8], last_byte, last_identity, last_rtc;

void on_pit(Frame&) {
  ++count[0];
  pic_end(0);
}
void on_keyboard(Frame&) {
  last_byte = in8(0x60);
  bytes[count[1]++ & 7] = last_byte;
  pic_end(1);
}
void on_mouse(Frame&) {
  ++count[12];
  last_byte = in8(0x60);
  pic_end(12);
}
void on_uart(Frame& frame) {
  const auto irq = static_cast<u8>(frame.vector - irq_base);
  ++count[irq];
  last_identity = in8(static_cast<u16>((irq == 4 ? com1 : com2) + 2));
  uart_quiet(irq == 4 ? com1 : com2);
  pic_end(irq);
}
u8 cmos(u8 index) {
  out8(0x70, index);
  return in8(0x71);
}
void set_cmos(u8 index, u8 value) {
  out8(0x70, index);
  out8(0x71, value);
}
void on_rtc(Frame&) {
  ++count[8];
  last_rtc = cmos(0x0C);
  pic_end(8);
}

void pit(u8 mode, u16 value) {
  out8(0x43, static_cast<u8>(0x30 | mode << 1));
  out8(0x40, static_cast<u8>(value));
  out8(0x40, static_cast<u8>(value >> 8));
}

}  // namespace

void guest_main() {
  set_handler(irq_base + 0, on_pit);
  set_handler(irq_base + 1, on_keyboard);
  set_handler(irq_base + 3, on_uart);
  set_handler(irq_base + 4, on_uart);
  set_handler(irq_base + 8, on_rtc);
  set_handler(irq_base + 12, on_mouse);
  i8042_start();

  pic_allow(1 << 1);
  keyboard_raise(0x2C);
  window();
  check("8042: command D2 interrupts", count[1], 1);
  check("with its byte", last_byte, 0x2C);
  i8042_command(0xAA);
  wait_for_interrupt();
  check("8042: the self test's answer interrupts", count[1], 2);
  check("with 55", last_byte, 0x55);
  i8042_start();
  count[1] = 0;
  i8042_data(0xF2);  // identify
  while (count[1] < 3) wait_for_interrupt();
  check("keyboard: acknowledges, then says who it is, translated", u32{bytes[0]} << 16 | bytes[1] << 8 | bytes[2],
        0xFAAB41);

  pic_allow(1 << 12 | 1 << 2);
  mouse_raise(0x5A);
  window();
  check("8042: command D3 interrupts on IRQ 12", count[12], 1);
  check("with its byte", last_byte, 0x5A);
  i8042_command(0xD4);
  i8042_data(0xF4);
  while (count[12] < 2) wait_for_interrupt();
  check("mouse: acknowledges a command", last_byte, 0xFA);

  pic_allow(1 << 3 | 1 << 4);
  uart_raise(com1);
  window();
  check("UART: empty transmitter interrupts", count[4], 1);
  check("IIR says so", last_identity & 0x0F, 0x02);
  uart_raise(com2);
  window();
  check("COM2 on IRQ 3", count[3], 1);
  out8(com1 + 4, 0x00);
  // In loopback a byte sent comes back.
  out8(com1 + 3, 0x80);
  out8(com1 + 0, 0x01);
  out8(com1 + 1, 0x00);
  out8(com1 + 3, 0x03);
  out8(com1 + 4, 0x1B);
  check("loopback: MSR shows MCR", in8(com1 + 6) & 0xF0, 0xB0);
  out8(com1, 0xA5);
  while ((in8(com1 + 5) & 1) == 0) {
  }
  check("loopback: the byte comes back", in8(com1), 0xA5);
  out8(com1 + 4, 0x1F);
  check("loopback: RI follows OUT1", in8(com1 + 6) & 0x40, 0x40);
  out8(com1 + 4, 0x08);

  pic_allow(1 << 0);
  pit(0, 1000);
  while (count[0] < 1) wait_for_interrupt();
  for (int i = 0; i < 100; ++i) window();
  check("PIT mode 0 interrupts once", count[0], 1);
  count[0] = 0;
  pit(2, 2000);
  while (count[0] < 5) wait_for_interrupt();
  check("PIT mode 2 goes on", count[0] >= 5, 1);
  pit(3, 2000);
  count[0] = 0;
  while (count[0] < 5) wait_for_interrupt();
  check("PIT mode 3 goes on", count[0] >= 5, 1);
  pit(0, 0);
  pic_allow(0);

  pic_allow(1 << 8 | 1 << 2);
  set_cmos(0x0A, 0x26);  // 1024 Hz
  (void)cmos(0x0C);
  set_cmos(0x0B, 0x42);  // periodic, 24 hours
  while (count[8] < 3) wait_for_interrupt();
  check_true("RTC: periodic interrupts go on", count[8] >= 3);
  check("register C says periodic", last_rtc & 0xC0, 0xC0);
  // Register C unread: no further interrupt.
  set_cmos(0x0B, 0x02);
  check("RTC: date is valid", cmos(0x0D) & 0x80, 0x80);
}
