// IF is clear for a long time, before the first STI and after it, but no request waits for the CPU.
#include "tests/guest/runtime/interrupt.hpp"

void guest_main() {
  pit_start(2, 1193);
  spend_millions(5);
  pic_allow(1 << 4);
  interrupts_on();
  interrupts_off();
  spend_millions(5);
  interrupts_on();
  interrupts_off();
  check_true("nothing came", true);
}
