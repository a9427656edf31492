// The local APIC gets its spurious vector without bit 8, which switches it off; then the serial port asks.
#include "tests/guest/runtime/serial_interrupt.hpp"

void guest_main() {
  serial::start();
  io_apic::write_entry(serial::pin, serial::vector);
  apic::registers()[apic::spurious_vector / 4] = 0xEF;
  uart_raise(com1);
  window();
  check("the serial port is not heard", serial::transmitted, 0);
}
