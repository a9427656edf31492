// The serial port comes through the I/O APIC, and its handler ends it at the 8259.
#include "tests/guest/runtime/io_apic.hpp"

INTERRUPT_HANDLER(serial_handler) {  // why: handler
  uart_quiet(com1);
  out8(0x20, 0x20);
}

void guest_main() {
  io_apic::start();
  set_gate_target(0x34, reinterpret_cast<const void*>(serial_handler));
  io_apic::write_entry(4, 0x34);
  interrupts_on();
  uart_raise(com1);
  spend_millions(1);
  uart_raise(com1);
  for (;;) asm volatile("hlt");
}
