// No exception can be delivered: the CPU shuts down, and a PC resets (SDM vol. 3, 6.15, interrupt 8).
#include "tests/guest/runtime/guest.hpp"

void guest_main() {
  print("ok   the next line never comes\n");
  set_gate_access(6, 0x0E);   // #UD becomes #NP,
  set_gate_access(11, 0x0E);  // that another #NP: a double fault,
  set_gate_access(8, 0x0E);   // which has no gate either
  asm volatile("ud2");
  print("FAIL it came\n");
}
