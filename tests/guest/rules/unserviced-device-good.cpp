// The handler reads the UART's reason, which takes it away, before it ends the interrupt.
#include "tests/guest/runtime/pic.hpp"

namespace {
struct Interrupted;  // the CPU's frame, which this handler does not look at

u32 count;

[[gnu::interrupt]] void on_irq4(Interrupted*) {
  if (++count == 10) pic_allow(0);
  (void)in8(com1 + 2);  // IIR: the transmitter's interrupt is taken note of (PC16550D, 8.6.5)
  pic_end(4);
}
}  // namespace

void guest_main() {
  set_gate_target(irq_base + 4, reinterpret_cast<const void*>(on_irq4));
  out8(0x4D0, 1 << 4);
  uart_quiet(com1);
  pic_allow(1 << 4);
  uart_raise(com1);
  window();
  check("it came once", count, 1);
}
