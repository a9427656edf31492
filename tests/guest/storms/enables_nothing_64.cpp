// Kernels that wait with interrupts on, one on each CPU, and have set up no controller and no device.
#include "tests/guest/runtime/second_cpu.hpp"

namespace {
constexpr u32 others = 63;
}  // namespace

void second_cpu_main() {
  interrupts_on();
  for (;;) asm volatile("pause");
}

void guest_main() {
  map_devices();
  start_other_cpus(others);
  print("all CPUs run\n");
  second_cpu_main();
}
