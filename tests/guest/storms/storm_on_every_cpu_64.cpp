// On every CPU: a timer that is due again at once, a performance counter that runs over all the time, errors, IPIs and
// NMIs from the others; a level at the I/O APIC that never falls, and a device's MSIs ten times in a microsecond, for
// all of them.
#include "tests/guest/runtime/interrupt.hpp"
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/second_cpu.hpp"
#include "tests/guest/runtime/tester.hpp"

namespace {

constexpr u32 others = 15;
constexpr u8 timer = 0x41, error = 0x51, level = 0x61, counter = 0x71, call = 0x81, message = 0x91;
constexpr u32 msr_counter0 = 0xC1, msr_select0 = 0x186, msr_overflow_control = 0x390;
constexpr u64 instructions_with_interrupt = 0x5300C0;

INTERRUPT_HANDLER(on_any) { apic::end_of_interrupt(); }
INTERRUPT_HANDLER(on_nmi) {}
INTERRUPT_HANDLER(on_counter) {
  write_msr(msr_overflow_control, 1);
  write_msr(msr_counter0, ~u64{0} - 50);
  apic::write(apic::lvt_performance, counter);
  apic::end_of_interrupt();
}

/// To logical id FFh (PCI 3.0, 6.8.1; SDM vol. 3, 10.11).
void start_messages() {
  find_tester();
  u32 at = pci_read8(3, 0, 0x34);
  while (pci_read8(3, 0, at) != 5) at = pci_read8(3, 0, at + 1);
  pci_write(3, 0, 4, pci_read(3, 0, 4) | 4);
  pci_write(3, 0, at + 4, 0xFEEFF004);
  pci_write(3, 0, at + 8, 0);
  pci_write(3, 0, at + 12, message);
  pci_write(3, 0, at, pci_read(3, 0, at) | 1u << 16);
  tester(0x10) = 100;
  tester(tester_start) = ~u32{0};
}

}  // namespace

void second_cpu_main() {
  apic::write(apic::logical_destination, 0xFF000000);
  apic::write(apic::task_priority, 0);
  apic::write(apic::divide, apic::divide_by_1);
  apic::write(apic::lvt_timer, apic::periodic | timer);
  apic::write(apic::initial_count, 1);
  apic::write(apic::lvt_error, error);
  apic::write(apic::lvt_performance, counter);
  write_msr(msr_select0, instructions_with_interrupt);
  interrupts_on();
  for (;;) {
    apic::send(apic::to_others | apic::asserted | call);
    apic::send(apic::to_others | apic::mode_nmi | apic::asserted);
    apic::send(apic::to_all | apic::asserted | 3);  // an illegal vector
    apic::write(apic::error_status, 0);
    apic::send(apic::to_self | apic::asserted | error);
  }
}

void guest_main() {
  io_apic::start();
  constexpr u8 vectors[] = {timer, error, level, call, message, 0xFF};
  for (const u8 vector : vectors) {
    set_gate_target(vector, reinterpret_cast<const void*>(on_any));
  }
  set_gate_target(counter, reinterpret_cast<const void*>(on_counter));
  set_gate_target(2, reinterpret_cast<const void*>(on_nmi));
  start_other_cpus(others);
  io_apic::write(0x10 + 2 * 4 + 1, 0xFF000000);
  io_apic::write_entry(4, io_apic::active_low | io_apic::level | 1u << 11 | level);
  start_messages();
  print("all CPUs run\n");
  second_cpu_main();
}
