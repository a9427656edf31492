// Lines and messages: every device asks as often as it can, and no CPU takes anything: interrupts are off for good.
#include "tests/guest/runtime/interrupt.hpp"
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/second_cpu.hpp"
#include "tests/guest/runtime/tester.hpp"

namespace {
constexpr u32 others = 3;
constexpr word hpet = 0xFED00000;
void write_hpet(u32 offset, u32 value) { *reinterpret_cast<volatile u32*>(hpet + offset) = value; }
}  // namespace

void second_cpu_main() {
  apic::write(apic::divide, apic::divide_by_1);
  apic::write(apic::lvt_timer, apic::periodic | 0x41);
  apic::write(apic::initial_count, 1);
  for (;;) apic::send(apic::to_all | apic::asserted | 0x42);
}

void guest_main() {
  io_apic::start();
  start_other_cpus(others);
  find_tester();
  pic_allow(0xFFFF);
  pit_start(2, 2);
  out8(0x70, 0x0A);
  out8(0x71, 0x23);  // the clock chip's fastest rate
  out8(0x70, 0x0B);
  out8(0x71, 0x72);
  uart_raise(com1);
  uart_raise(0x2F8);
  for (u8 pin = 0; pin < 24; ++pin) io_apic::write_entry(pin, 0x50u + pin);
  write_hpet(0x10, 0);
  constexpr u32 narrow_periodic = 1u << 8 | 1u << 6 | 1u << 3 | 1u << 2;
  write_hpet(0x100, narrow_periodic | 20u << 9);  // on pin 20
  write_hpet(0x120, narrow_periodic | 1u << 14);  // by message
  write_hpet(0x130, 0x43);
  write_hpet(0x134, 0xFEE00000);
  write_hpet(0x108, 1);
  write_hpet(0x128, 1);
  write_hpet(0x10, 1);
  tester(0x10) = 1;
  tester(tester_start) = ~u32{0};
  print("all CPUs run\n");
  second_cpu_main();
}
