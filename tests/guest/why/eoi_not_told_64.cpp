// The local APIC keeps its EOIs to itself, and the handler of a level sends none to the I/O APIC.
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/tester.hpp"

INTERRUPT_HANDLER(card_handler) {
  tester(tester_status) = 1;
  apic::end_of_interrupt();
}

[[gnu::noinline]] void suppress_broadcast() {
  apic::registers()[apic::spurious_vector / 4] = 0x11FF;  // why: suppress
}

void guest_main() {
  io_apic::start();
  find_tester();
  suppress_broadcast();
  set_gate_target(0x51, reinterpret_cast<const void*>(card_handler));
  io_apic::write_entry(tester_pin, 0x51 | io_apic::level | io_apic::active_low);
  interrupts_on();
  tester(tester_start) = 1;
  spend_millions(1);
  tester(tester_start) = 1;
  for (;;) asm volatile("pause");
}
