// The 8042's pulse on the reset line ends the run.
#include "tests/guest/runtime/pic.hpp"

void guest_main() {
  print("ok   about to reset\n");
  i8042_command(0xFE);
  for (;;) asm volatile("pause");
}
