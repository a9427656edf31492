// Check, start the device, HLT, all with interrupts on: the answer comes before the HLT, which then sleeps until the
// next tick.
#include "tests/guest/runtime/pic.hpp"

namespace {
volatile u32 sent;
volatile u32 ticks;

void on_irq0(Frame&) {
  ticks = ticks + 1;
  pic_end(0);
}
void on_irq4(Frame&) {
  uart_quiet(com1);
  sent = 1;
  pic_end(4);
}

[[gnu::noinline]] void send() {
  sent = 0;
  while (sent == 0) {
    uart_raise(com1);
    asm volatile("hlt");  // the mistake: `sent` may be 1 by now
  }
}
}  // namespace

void guest_main() {
  set_handler(irq_base, on_irq0);
  set_handler(irq_base + 4, on_irq4);
  out8(0x43, 0x34);  // 1000 Hz, so that it goes on at all
  out8(0x40, 0xA9);
  out8(0x40, 0x04);
  pic_allow(1 << 0 | 1 << 4);
  interrupts_on();
  for (int i = 0; i < 3; ++i) send();
  interrupts_off();
  check("three sent", sent, 1);
}
