// COM1's line is active high, and its entry in the I/O APIC says low.
#include "tests/guest/runtime/io_apic.hpp"

INTERRUPT_HANDLER(serial_handler) { apic::end_of_interrupt(); }

void guest_main() {
  io_apic::start();
  set_gate_target(0x34, reinterpret_cast<const void*>(serial_handler));
  volatile u32* const chip = io_apic::registers();
  chip[0] = 0x10 + 2 * 4;
  chip[4] = 0x34 | io_apic::active_low;  // why: entry
  interrupts_on();
  uart_raise(com1);
  for (;;) asm volatile("hlt");
}
