// The first CPU waits for the answer to its IPI; the second one has interrupts off and waits for the first one's lock.
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/second_cpu.hpp"

namespace {
volatile u32 lock, waits;
}

extern "C" void second_cpu_main() {
  interrupts_on();
  asm volatile("cli");  // why: cli
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
  local[apic::command_low / 4] = 0x54 | apic::asserted;
  for (;;) {
  }
}
