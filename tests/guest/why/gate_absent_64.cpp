// The timer's line is open, its gate is not present.
#include "tests/guest/runtime/interrupt.hpp"

INTERRUPT_HANDLER(not_present_handler) {
  for (;;) asm volatile("cli; hlt");
}

void guest_main() {
  set_gate_target(11, reinterpret_cast<const void*>(not_present_handler));
  set_gate_access(irq_base, 0x0E);
  pit_start(2, 11932);
  pic_allow(1 << 0);
  interrupts_on();
  for (;;) asm volatile("pause");  // why: interrupted
}
