// The serial port's entry is opened before it has a vector, and the port asks in between.
//
// qemu: no, it delivers vectors below 16
#include "tests/guest/runtime/serial_interrupt.hpp"

void guest_main() {
  serial::start();
  volatile u32* const chip = io_apic::registers();
  chip[0] = serial::entry_low;
  chip[4] = 0;
  uart_raise(com1);
  chip[4] = serial::vector;
  window();
  check("the serial port is not heard", serial::transmitted, 0);
}
