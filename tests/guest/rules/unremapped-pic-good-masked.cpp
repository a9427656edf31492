// A kernel that polls: the firmware's vectors stay, but every line is masked before interrupts are let in.
#include "tests/guest/runtime/interrupt.hpp"

void guest_main() {
  pic_start(0x08, 0x70);
  pit_start(0, 1);
  spend_millions_with_interrupts(1);
  check("the tick waits", pic_requests() & 1, 1);
}
