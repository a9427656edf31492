// The local APIC is switched off by IA32_APIC_BASE, as some boot loaders leave it.
#include "tests/guest/runtime/io_apic.hpp"

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  apic::end_of_interrupt();
}

[[gnu::noinline]] void switch_off() {
  constexpr u32 off = 0xFEE00100;
  asm volatile("wrmsr" ::"a"(off), "d"(0), "c"(apic::msr_base));  // why: disable
}

void guest_main() {
  io_apic::start();
  set_gate_target(0x34, reinterpret_cast<const void*>(serial_handler));
  io_apic::write_entry(4, 0x34);
  switch_off();
  uart_raise(com1);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
