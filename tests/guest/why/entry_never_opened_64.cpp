// A kernel that has masked the 8259s and turned its local APIC on, and never opened the card's entry in the I/O APIC.
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/tester.hpp"

INTERRUPT_HANDLER(card_handler) {
  tester(tester_status) = 1;
  apic::end_of_interrupt();
}

void guest_main() {
  io_apic::start();
  find_tester();
  set_gate_target(0x51, reinterpret_cast<const void*>(card_handler));
  interrupts_on();
  tester(tester_start) = 1;
  for (;;) asm volatile("pause");
}
