// The two 8259s as our images use them, and two interrupt sources that answer at once, on every machine alike.
#pragma once

#include "tests/guest/runtime/guest.hpp"

constexpr u8 irq_base = 0x20;

/// ICW1 to ICW4 as on every PC: cascade on pin 2, vectors irq_base and irq_base + 8, then everything masked.
inline void pic_start(u8 primary_base = irq_base, u8 secondary_base = irq_base + 8, u8 icw4 = 0x01) {
  out8(0x20, 0x11);
  out8(0x21, primary_base);
  out8(0x21, 0x04);
  out8(0x21, icw4);
  out8(0xA0, 0x11);
  out8(0xA1, secondary_base);
  out8(0xA1, 0x02);
  out8(0xA1, 0x01);
  out8(0x21, 0xFF);
  out8(0xA1, 0xFF);
}
/// Lets these requests through (bit n: IRQ n), all others not.
inline void pic_allow(u16 requests) {
  out8(0x21, static_cast<u8>(~requests));
  out8(0xA1, static_cast<u8>(~requests >> 8));
}
inline void pic_end(u8 irq) {
  if (irq >= 8) out8(0xA0, 0x20);
  out8(0x20, 0x20);
}
inline u8 pic_requests(u16 chip = 0x20) {
  out8(chip, 0x0A);
  return in8(chip);
}
inline u8 pic_in_service(u16 chip = 0x20) {
  out8(chip, 0x0B);
  return in8(chip);
}

// IRQ 4 (COM1) and IRQ 3 (COM2): the transmitter is empty and says so as soon as it may (PC16550D, 8.6.6).
constexpr u16 com1 = 0x3F8, com2 = 0x2F8;
inline void uart_quiet(u16 port) { out8(port + 1, 0x00); }
inline void uart_raise(u16 port) {
  out8(port + 4, 0x08);  // OUT2 lets the interrupt onto the bus
  out8(port + 1, 0x00);
  out8(port + 1, 0x02);
}
// IRQ 1 and IRQ 12: the controller puts a byte of ours into its output buffer (commands D2 and D3).
inline void i8042_wait() {
  while ((in8(0x64) & 2) != 0) {
  }
}
inline void i8042_command(u8 command) {
  i8042_wait();
  out8(0x64, command);
}
inline void i8042_data(u8 data) {
  i8042_wait();
  out8(0x60, data);
}
inline void keyboard_raise(u8 byte = 0x1E) {
  i8042_command(0xD2);
  i8042_data(byte);
}
inline void mouse_raise(u8 byte = 0x08) {
  i8042_command(0xD3);
  i8042_data(byte);
}
inline void i8042_empty() {
  while ((in8(0x64) & 1) != 0) (void)in8(0x60);
}
/// Interrupts of both ports on, mouse port enabled (command byte 0x47: translation, system, both interrupts).
inline void i8042_start() {
  i8042_empty();
  i8042_command(0x60);
  i8042_data(0x47);
  i8042_command(0xA8);
  i8042_empty();
}
