// The serial port's entry names an APIC id that no CPU has.
#include "tests/guest/runtime/serial_interrupt.hpp"

void guest_main() {
  serial::start();
  volatile u32* const chip = io_apic::registers();
  chip[0] = serial::entry_high;
  chip[4] = 9u << 24;
  chip[0] = serial::entry_low;
  chip[4] = serial::vector;
  uart_raise(com1);
  window();
  check("the serial port is not heard", serial::transmitted, 0);
}
