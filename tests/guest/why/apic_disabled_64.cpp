// The local APIC gets its spurious vector without bit 8.
#include "tests/guest/runtime/io_apic.hpp"

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  apic::end_of_interrupt();
}

[[gnu::noinline]] void set_spurious_vector() {
  apic::registers()[apic::spurious_vector / 4] = 0xEF;  // why: disable
}

void guest_main() {
  io_apic::start();
  set_gate_target(0x34, reinterpret_cast<const void*>(serial_handler));
  io_apic::write_entry(4, 0x34);
  set_spurious_vector();
  uart_raise(com1);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
