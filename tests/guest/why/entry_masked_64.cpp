// The entry of COM1 was masked again after its start.
#include "tests/guest/runtime/serial_interrupt.hpp"

[[gnu::noinline]] void quiesce() {
  volatile u32* const chip = io_apic::registers();
  chip[0] = serial::entry_low;
  chip[4] = io_apic::masked | serial::vector;  // why: mask
}

void guest_main() {
  serial::start();
  io_apic::write_entry(serial::pin, serial::vector);
  quiesce();
  uart_raise(com1);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
