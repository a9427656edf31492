// The upper half of the HPET's comparator is as reset leaves it, so the counter never gets there.
#include "tests/guest/runtime/io_apic.hpp"

namespace {

constexpr word hpet = 0xFED00000;

INTERRUPT_HANDLER(hpet_handler) { apic::end_of_interrupt(); }

[[gnu::noinline]] void start_timer() {
  auto* const registers = reinterpret_cast<volatile u32*>(hpet);
  registers[0x100 / 4] = 1u << 2 | 20u << 9;  // why: timer
  registers[0x108 / 4] = 1000;
  registers[0x10 / 4] = 1;  // why: counter
}

}  // namespace

void guest_main() {
  io_apic::start();
  set_gate_target(0x44, reinterpret_cast<const void*>(hpet_handler));
  io_apic::write_entry(20, 0x44);
  start_timer();
  interrupts_on();
  for (;;) asm volatile("pause");
}
