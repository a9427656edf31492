// The HPET's timer 0 goes to pin 20, whose entry was written with its mask bit set.
#include "tests/guest/runtime/io_apic.hpp"

namespace {

constexpr word hpet = 0xFED00000;
void write_hpet(u32 offset, u32 value) { *reinterpret_cast<volatile u32*>(hpet + offset) = value; }

INTERRUPT_HANDLER(hpet_handler) { apic::end_of_interrupt(); }

[[gnu::noinline]] void write_entry() {
  volatile u32* const chip = io_apic::registers();
  chip[0] = 0x10 + 2 * 20;
  chip[4] = 0x44 | io_apic::masked;  // why: entry
}

}  // namespace

void guest_main() {
  io_apic::start();
  set_gate_target(0x44, reinterpret_cast<const void*>(hpet_handler));
  write_entry();
  write_hpet(0x100, 1u << 2 | 20u << 9);
  write_hpet(0x10C, 0);
  write_hpet(0x108, 100000);
  write_hpet(0x10, 1);
  interrupts_on();
  for (;;) asm volatile("pause");
}
