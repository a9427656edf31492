// The serial port comes through the I/O APIC; its handler sends the EOI to the local APIC.
#include "tests/guest/runtime/serial_interrupt.hpp"

void guest_main() {
  serial::start();
  io_apic::write_entry(serial::pin, serial::vector);
  for (u32 i = 1; i <= 3; ++i) {
    uart_raise(com1);
    window();
    check("the serial port comes", serial::transmitted, i);
  }
  check_true("nothing is in service", !apic::has(apic::in_service, serial::vector));
}
