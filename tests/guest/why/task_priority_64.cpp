// The task priority stays where a critical section has put it.
#include "tests/guest/runtime/serial_interrupt.hpp"

[[gnu::noinline]] void enter_critical_section() {
  apic::registers()[apic::task_priority / 4] = 0x80;  // why: raise
}

void guest_main() {
  serial::start();
  io_apic::write_entry(serial::pin, serial::vector);
  enter_critical_section();
  uart_raise(com1);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
