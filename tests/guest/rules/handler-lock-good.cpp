// A lock that a handler takes too is held with interrupts off.
#include "tests/guest/runtime/pic.hpp"

namespace {
u32 log_lock;
u32 lines;

word lock(u32& word_of_lock) {
  const word saved = flags();
  interrupts_off();
  while (__atomic_exchange_n(&word_of_lock, 1, __ATOMIC_ACQUIRE) != 0) asm volatile("pause");
  return saved;
}
void unlock(u32& word_of_lock, word saved) {
  __atomic_store_n(&word_of_lock, 0, __ATOMIC_RELEASE);
  if ((saved & flag_if) != 0) interrupts_on();
}

void write_log() {
  const word saved = lock(log_lock);
  ++lines;
  uart_raise(com1);
  for (u32 i = 0; i < 1000; ++i) asm volatile("" ::"r"(i));
  unlock(log_lock, saved);
}

void on_irq4(Frame&) {
  uart_quiet(com1);
  const word saved = lock(log_lock);
  ++lines;
  unlock(log_lock, saved);
  pic_end(4);
}
}  // namespace

void guest_main() {
  set_handler(irq_base + 4, on_irq4);
  pic_allow(1 << 4);
  print("ok   about to write to the log\n");
  interrupts_on();
  write_log();
  window();
  check("both lines are written", lines, 2);
}
