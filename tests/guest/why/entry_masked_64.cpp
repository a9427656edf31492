// The entry of COM1 was masked again after its start.
#include "tests/guest/runtime/io_apic.hpp"

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  apic::end_of_interrupt();
}

[[gnu::noinline]] void quiesce() {
  volatile u32* const chip = io_apic::registers();
  chip[0] = 0x10 + 2 * 4;
  chip[4] = io_apic::masked | 0x34;  // why: mask
}

void guest_main() {
  io_apic::start();
  set_gate_target(0x34, reinterpret_cast<const void*>(serial_handler));
  io_apic::write_entry(4, 0x34);
  quiesce();
  uart_raise(com1);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
