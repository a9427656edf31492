// The local APIC's timer runs, and its entry is masked.
#include "tests/guest/runtime/apic.hpp"
#include "tests/guest/runtime/interrupt.hpp"

INTERRUPT_HANDLER(tick) { apic::end_of_interrupt(); }

[[gnu::noinline]] void start_timer() {
  volatile u32* const registers = apic::registers();
  registers[apic::divide / 4] = apic::divide_by_1;
  registers[apic::lvt_timer / 4] = apic::masked | apic::periodic | 0x41;  // why: mask
  registers[apic::initial_count / 4] = 100000;
}

void guest_main() {
  apic::start();
  set_gate_target(0x41, reinterpret_cast<const void*>(tick));
  apic::write(apic::lvt_timer, apic::periodic | 0x41);
  start_timer();
  interrupts_on();
  for (;;) asm volatile("pause");
}
