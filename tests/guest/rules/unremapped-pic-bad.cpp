// The 8259s stand as the firmware left them, with vectors from 8 on: the timer arrives as a double fault.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 double_faults;

INTERRUPT_HANDLER(double_fault_handler) {
  double_faults = double_faults + 1;
  pic_end(0);
}

}  // namespace

void guest_main() {
  set_irq_handler(0, double_fault_handler, 8);
  pic_start(0x08, 0x70);
  pit_start(0, 1);
  pic_allow(1 << 0);
  asm volatile("sti" ::: "memory");
  while (double_faults == 0) {
  }
  interrupts_off();
  check("a tick comes as vector 8", double_faults, 1);
}
