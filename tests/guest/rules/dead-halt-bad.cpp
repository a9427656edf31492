// qemu: hangs
// A lock that turns interrupts off is never let go; the HLT that follows has nothing to wake it.
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
  if (queue_length == most) return false;  // the mistake: interrupts stay off
  ++queue_length;
  unlock_queue();
  return true;
}
}  // namespace

void guest_main() {
  set_handler(irq_base + 4, on_irq4);
  pic_allow(1 << 4);
  interrupts_on();
  while (put(2)) {
  }
  print("ok   the queue is full\n");
  uart_raise(com1);
  while (arrived == 0) asm volatile("hlt");
  print("FAIL it went on\n");
}
