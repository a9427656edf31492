// The 8259s are as the firmware left them: the timer comes as vector 8, and the kernel believes in a double fault.
#include "tests/guest/runtime/interrupt.hpp"

extern "C" void guest_prepare_controllers() {}

INTERRUPT_HANDLER(double_fault_handler) {  // why: handler
  print("double fault\n");
  for (;;) asm volatile("cli; hlt");
}

void guest_main() {
  set_gate_target(8, reinterpret_cast<const void*>(double_fault_handler));
  pit_start(2, 11932);
  interrupts_on();
  for (;;) asm volatile("hlt");
}
