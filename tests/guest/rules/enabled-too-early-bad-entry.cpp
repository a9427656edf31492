// The low half of the serial port's entry, which opens it, is written before the high half, which says to whom.
#include "tests/guest/runtime/serial_interrupt.hpp"

void guest_main() {
  serial::start();
  apic::write(apic::logical_destination, 1u << 24);
  volatile u32* const chip = io_apic::registers();
  chip[0] = serial::entry_low;
  chip[4] = serial::vector | apic::logical;
  chip[0] = serial::entry_high;
  chip[4] = 1u << 24;
  uart_raise(com1);
  window();
  check("the serial port comes, this time", serial::transmitted, 1);
}
