// A handler that ends its interrupt and sets IF long before it returns: while the device goes on, each interrupt lies
// on top of the one before, until the stack is used up.
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

namespace {
u32 depth, deepest, interrupts;
}

extern "C" void on_serial() {
  if (++depth > deepest) deepest = depth;
  pic_end(4);
  if (++interrupts < 12) uart_raise(com1);
  window();
  --depth;
}

namespace {
[[gnu::naked]] void serial_entry() {
  asm volatile("pusha");
  asm volatile("call on_serial");
  asm volatile("popa");
  asm volatile("iret");
}
}  // namespace

void guest_main() {
  set_entry(irq_base + 4, serial_entry);
  pic_allow(1 << 4);
  uart_raise(com1);
  window();
  check("twelve interrupts came", interrupts, 12);
  check("all inside one another", deepest, 12);
}
