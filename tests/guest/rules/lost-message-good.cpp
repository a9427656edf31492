// The local APIC gets its spurious vector with bit 8.
#include "tests/guest/runtime/serial_interrupt.hpp"

void guest_main() {
  serial::start();
  io_apic::write_entry(serial::pin, serial::vector);
  apic::registers()[apic::spurious_vector / 4] = 0x1EF;
  uart_raise(com1);
  window();
  check("the serial port comes", serial::transmitted, 1);
}
