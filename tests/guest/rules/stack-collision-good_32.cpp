// A handler that ends its interrupt and leaves IF alone: each interrupt comes when the one before has returned.
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

namespace {

u32 depth, deepest;
volatile u32 interrupts;

void on_serial(Frame&) {
  if (++depth > deepest) deepest = depth;
  pic_end(4);
  interrupts = interrupts + 1;
  if (interrupts < 12) uart_raise(com1);
  --depth;
}

}  // namespace

void guest_main() {
  set_handler(irq_base + 4, on_serial);
  pic_allow(1 << 4);
  uart_raise(com1);
  while (interrupts < 12) window();
  check("twelve interrupts came", interrupts, 12);
  check("one after the other", deepest, 1);
}
