// The serial port's line is an edge, and its entry says level.
#include "tests/guest/runtime/serial_interrupt.hpp"

void guest_main() {
  serial::start();
  volatile u32* const chip = io_apic::registers();
  chip[0] = serial::entry_low;
  chip[4] = serial::vector | io_apic::level;
  uart_raise(com1);
  window();
  check("the serial port comes", serial::transmitted, 1);
}
