// The first CPU holds a lock and waits for the answer to its IPI; the second one waits for the lock with interrupts
// off.
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/second_cpu.hpp"

namespace {

volatile u32 lock, waits, answered;

}  // namespace

INTERRUPT_HANDLER(flush_handler) {
  answered = 1;
  apic::end_of_interrupt();
}

[[gnu::noinline]] void take_lock() {
  asm volatile("cli");  // why: cli
  waits = 1;
  while (lock != 0) asm volatile("pause");  // why: lock
}

[[gnu::noinline]] void flush_others() {
  volatile u32* const registers = apic::registers();
  registers[apic::command_high / 4] = 1u << 24;
  registers[apic::command_low / 4] = 0x54 | apic::asserted;  // why: send
  while (answered == 0) asm volatile("pause");               // why: answer
}

extern "C" void second_cpu_main() {
  interrupts_on();
  take_lock();
  for (;;) asm volatile("pause");
}

void guest_main() {
  io_apic::start();
  set_gate_target(0x54, reinterpret_cast<const void*>(flush_handler));
  lock = 1;
  start_second_cpu();
  while (waits == 0) asm volatile("pause");
  flush_others();
}
