// The handler takes a small part of the timer's period.
#include "tests/guest/runtime/pic.hpp"

namespace {
struct Interrupted;  // the CPU's frame, which this handler does not look at

volatile u32 ticks;

[[gnu::interrupt]] void on_irq0(Interrupted*) {
  if (++*const_cast<u32*>(&ticks) == 150) pic_allow(0);
  pic_end(0);
}
}  // namespace

void guest_main() {
  set_gate_target(irq_base, reinterpret_cast<const void*>(on_irq0));
  out8(0x43, 0x34);
  out8(0x40, 119);
  out8(0x40, 0);
  pic_allow(1 << 0);
  interrupts_on();
  while (ticks < 150) {
  }
  interrupts_off();
  check("it ticked", ticks, 150);
}
