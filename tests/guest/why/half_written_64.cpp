// The entry of COM1 is opened before its vector is written.
#include "tests/guest/runtime/io_apic.hpp"

void guest_main() {
  io_apic::start();
  volatile u32* const chip = io_apic::registers();
  chip[0] = 0x10 + 2 * 4;
  chip[4] = 0;  // why: entry
  uart_raise(com1);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
