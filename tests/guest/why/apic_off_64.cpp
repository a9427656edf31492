// The local APIC is switched off by IA32_APIC_BASE, as some boot loaders leave it.
#include "tests/guest/runtime/serial_interrupt.hpp"

[[gnu::noinline]] void switch_off() {
  constexpr u32 off = 0xFEE00100;
  asm volatile("wrmsr" ::"a"(off), "d"(0), "c"(apic::msr_base));  // why: disable
}

void guest_main() {
  serial::start();
  io_apic::write_entry(serial::pin, serial::vector);
  switch_off();
  uart_raise(com1);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
