// The handler of a level-triggered line never asks the device: the line stays high, and the interrupt comes again.
#include "tests/guest/runtime/pic.hpp"

namespace {
struct Interrupted;  // the CPU's frame, which this handler does not look at

u32 count;

[[gnu::interrupt]] void on_irq4(Interrupted*) {
  if (++count == 10) pic_allow(0);  // enough: else it would never end
  pic_end(4);                       // the mistake: the UART still has its reason
}
}  // namespace

void guest_main() {
  set_gate_target(irq_base + 4, reinterpret_cast<const void*>(on_irq4));
  out8(0x4D0, 1 << 4);  // ELCR: IRQ 4 is level-triggered
  uart_quiet(com1);
  pic_allow(1 << 4);
  uart_raise(com1);
  window();
  check("it came until it was masked", count, 10);
}
