// The handler notes that there is work; it is done later, with interrupts on.
#include "tests/guest/runtime/pic.hpp"

namespace {
struct Interrupted;  // the CPU's frame, which this handler does not look at

volatile u32 waiting;
u32 count;

void work() {
  for (u32 i = 0; i < 50000; ++i) asm volatile("" ::"r"(i));
}

[[gnu::interrupt]] void on_irq4(Interrupted*) {
  uart_quiet(com1);
  waiting = 1;
  pic_end(4);
}
}  // namespace

void guest_main() {
  set_gate_target(irq_base + 4, reinterpret_cast<const void*>(on_irq4));
  pic_allow(1 << 4);
  for (int i = 0; i < 3; ++i) {
    uart_raise(com1);
    while (waiting == 0) wait_for_interrupt();
    interrupts_on();
    waiting = 0;
    work();
    ++count;
    interrupts_off();
  }
  check("three were done", count, 3);
}
