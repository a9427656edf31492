// An IPI to an APIC id that no CPU has.
#include "tests/guest/runtime/io_apic.hpp"

[[gnu::noinline]] void kick(u32 cpu) {
  volatile u32* const registers = apic::registers();
  registers[apic::command_high / 4] = cpu << 24;
  registers[apic::command_low / 4] = 0x54 | apic::asserted;  // why: send
}

void guest_main() {
  io_apic::start();
  kick(9);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
