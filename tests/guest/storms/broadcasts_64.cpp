// Every CPU sends broadcasts to all without end, and takes what comes.
#include "tests/guest/runtime/interrupt.hpp"
#include "tests/guest/runtime/second_cpu.hpp"

namespace {

constexpr u8 vector = 0x41;
constexpr u32 others = 63;

INTERRUPT_HANDLER(on_ipi) { apic::end_of_interrupt(); }

}  // namespace

void second_cpu_main() {
  interrupts_on();
  for (;;) apic::send(apic::to_all | apic::asserted | vector);
}

void guest_main() {
  apic::start();
  set_gate_target(vector, reinterpret_cast<const void*>(on_ipi));
  start_other_cpus(others);
  print("all CPUs run\n");
  second_cpu_main();
}
