// The serial port's entry is as ISA lines are: an edge, active high.
#include "tests/guest/runtime/serial_interrupt.hpp"

void guest_main() {
  serial::start();
  io_apic::write_entry(serial::pin, serial::vector);
  uart_raise(com1);
  window();
  check("the serial port comes", serial::transmitted, 1);
}
