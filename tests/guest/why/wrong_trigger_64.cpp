// A PCI line is a level, its entry in the I/O APIC says edge, and the handler leaves the device as it was.
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/tester.hpp"

INTERRUPT_HANDLER(card_handler) { apic::end_of_interrupt(); }

void guest_main() {
  io_apic::start();
  find_tester();
  set_gate_target(0x51, reinterpret_cast<const void*>(card_handler));
  volatile u32* const chip = io_apic::registers();
  chip[0] = 0x10 + 2 * tester_pin;
  chip[4] = 0x51 | io_apic::active_low;  // why: entry
  interrupts_on();
  tester(tester_start) = 1;
  spend_millions(1);
  tester(tester_start) = 1;
  for (;;) asm volatile("hlt");
}
