// The local APIC gets its spurious vector without bit 8.
#include "tests/guest/runtime/serial_interrupt.hpp"

[[gnu::noinline]] void set_spurious_vector() {
  apic::registers()[apic::spurious_vector / 4] = 0xEF;  // why: disable
}

void guest_main() {
  serial::start();
  io_apic::write_entry(serial::pin, serial::vector);
  set_spurious_vector();
  uart_raise(com1);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
