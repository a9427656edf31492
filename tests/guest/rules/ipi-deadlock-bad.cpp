// The first CPU holds a lock and waits for the answer to its IPI; the second one waits for the lock with interrupts
// off.
//
// qemu: no, it runs there with one CPU
//
// cpus: 2
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/second_cpu.hpp"

namespace {
constexpr u8 vector = 0x54;
volatile u32 lock, waits, answered;
}  // namespace

extern "C" void second_cpu_main() {
  waits = 1;
  while (lock != 0) {
  }
  for (;;) asm volatile("pause");
}

void guest_main() {
  io_apic::start();
  lock = 1;
  start_second_cpu();
  while (waits == 0) asm volatile("pause");
  volatile u32* const local = apic::registers();
  local[apic::command_high / 4] = 1u << 24;
  local[apic::command_low / 4] = vector | apic::asserted;
  for (u32 turns = 0; turns < 10'000'000 && answered == 0; turns = turns + 1) {
  }
  check("the second CPU has not answered", answered, 0);
}
