// Interrupts are on again on every path, and the wait turns them on together with its HLT.
#include "tests/guest/runtime/pic.hpp"

namespace {
volatile u32 arrived;
u32 queue_length;

void on_irq4(Frame&) {
  uart_quiet(com1);
  arrived = 1;
  pic_end(4);
}

[[gnu::noinline]] void lock_queue() { asm volatile("cli" ::: "memory"); }
[[gnu::noinline]] void unlock_queue() { asm volatile("sti" ::: "memory"); }

[[gnu::noinline]] bool put(u32 most) {
  lock_queue();
  const bool fits = queue_length < most;
  if (fits) ++queue_length;
  unlock_queue();
  return fits;
}
}  // namespace

void guest_main() {
  set_handler(irq_base + 4, on_irq4);
  pic_allow(1 << 4);
  interrupts_on();
  while (put(2)) {
  }
  print("ok   the queue is full\n");
  interrupts_off();
  uart_raise(com1);
  while (arrived == 0) wait_for_interrupt();
  check("the interrupt woke it", arrived, 1);
}
