// A kernel that waits with interrupts on, and has set up no controller and no device.
#include "tests/guest/runtime/guest.hpp"

void guest_main() {
  print("all CPUs run\n");
  interrupts_on();
  for (;;) asm volatile("pause");
}
