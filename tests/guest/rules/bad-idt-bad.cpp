// The gate of a hardware vector lost its present bit: the first interrupt becomes a fault.
#include "tests/guest/runtime/pic.hpp"

namespace {
u32 count;

void on_irq4(Frame&) {
  ++count;
  uart_quiet(com1);
  pic_end(4);
}
void work() {
  asm volatile("sti");
  for (u32 i = 0; i < 100; ++i) asm volatile("" ::"r"(i));
  asm volatile("cli");
}
}  // namespace

void guest_main() {
  set_handler(irq_base + 4, on_irq4);
  set_gate_access(irq_base + 4, 0x0E);  // the mistake: P is clear
  pic_allow(1 << 4);
  uart_raise(com1);
  check("a fault comes in place of IRQ 4", run(work).vector, 11);
  check("and its handler never runs", count, 0);
}
