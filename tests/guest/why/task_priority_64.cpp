// The task priority stays where a critical section has put it.
#include "tests/guest/runtime/io_apic.hpp"

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  apic::end_of_interrupt();
}

[[gnu::noinline]] void enter_critical_section() {
  apic::registers()[apic::task_priority / 4] = 0x80;  // why: raise
}

void guest_main() {
  io_apic::start();
  set_gate_target(0x34, reinterpret_cast<const void*>(serial_handler));
  io_apic::write_entry(4, 0x34);
  enter_critical_section();
  uart_raise(com1);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
