// The handler of a PCI line quiets the device and sends no EOI: the I/O APIC goes on waiting for it.
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/tester.hpp"

INTERRUPT_HANDLER(card_handler) {  // why: handler
  tester(tester_status) = 1;
}

void guest_main() {
  io_apic::start();
  find_tester();
  set_gate_target(0x51, reinterpret_cast<const void*>(card_handler));
  io_apic::write_entry(tester_pin, 0x51 | io_apic::active_low | io_apic::level);
  interrupts_on();
  tester(tester_start) = 1;
  spend_millions(1);
  tester(tester_start) = 1;
  for (;;) asm volatile("hlt");
}
