// A gate for each vector that may come; those that nothing sends may be absent.
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
  for (int vector = irq_base; vector < 256; ++vector) set_gate_access(static_cast<u8>(vector), 0x0E);
  set_handler(irq_base + 4, on_irq4);
  set_gate_access(irq_base + 4, 0x8E);
  pic_allow(1 << 4);
  uart_raise(com1);
  check("no fault", run(work).vector, no_trap);
  check("IRQ 4 comes", count, 1);
}
