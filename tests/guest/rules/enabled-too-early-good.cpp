// Handler, then gate, then mask.
#include "tests/guest/runtime/pic.hpp"

namespace {
u32 count;

void on_irq4(Frame&) {
  ++count;
  uart_quiet(com1);
  pic_end(4);
}
}  // namespace

void guest_main() {
  set_gate_access(irq_base + 4, 0x0E);
  interrupts_on();
  set_handler(irq_base + 4, on_irq4);
  set_gate_access(irq_base + 4, 0x8E);
  asm volatile("outb %0, $0x21" ::"a"(static_cast<u8>(~(1 << 4))));
  uart_raise(com1);
  window();
  check("IRQ 4 came", count, 1);
}
