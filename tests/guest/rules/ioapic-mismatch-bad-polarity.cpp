// The serial port's line is active high, and its entry says low: the interrupt comes when the port lets go of the line.
#include "tests/guest/runtime/serial_interrupt.hpp"

void guest_main() {
  serial::start();
  volatile u32* const chip = io_apic::registers();
  chip[0] = serial::entry_low;
  chip[4] = serial::vector | io_apic::active_low;
  uart_raise(com1);
  window();
  uart_quiet(com1);
  window();
  check_true("something comes", serial::transmitted != 0);
}
