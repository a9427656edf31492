// qemu: hangs
// The handler waits for a lock that the code it has interrupted holds.
#include "tests/guest/runtime/pic.hpp"

namespace {
u32 log_lock;
u32 lines;

void lock(u32& word) {
  while (__atomic_exchange_n(&word, 1, __ATOMIC_ACQUIRE) != 0) asm volatile("pause");
}
void unlock(u32& word) { __atomic_store_n(&word, 0, __ATOMIC_RELEASE); }

void write_log() {
  lock(log_lock);
  ++lines;
  uart_raise(com1);  // the interrupt comes while the lock is held
  for (u32 i = 0; i < 1000; ++i) asm volatile("" ::"r"(i));
  unlock(log_lock);
}

void on_irq4(Frame&) {
  uart_quiet(com1);
  lock(log_lock);
  ++lines;
  unlock(log_lock);
  pic_end(4);
}
}  // namespace

void guest_main() {
  set_handler(irq_base + 4, on_irq4);
  pic_allow(1 << 4);
  print("ok   about to write to the log\n");
  interrupts_on();
  write_log();
  interrupts_off();
  print("FAIL it went on\n");
}
