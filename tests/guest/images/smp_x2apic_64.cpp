// Two CPUs in x2APIC mode: messages by 32-bit ids, by the logical ids that follow from them, and by an MSI, whose ids
// have 8 bits (SDM vol. 3, 10.12.9 and 10.12.10). QEMU 7.2's TCG has no x2APIC.
#include "tests/guest/runtime/interrupt.hpp"
#include "tests/guest/runtime/second_cpu.hpp"
#include "tests/guest/runtime/tester.hpp"

namespace {

constexpr u8 vector = 0x41;
constexpr u32 msr_id = 0x802, msr_eoi = 0x80B, msr_logical = 0x80D, msr_command = 0x830;
constexpr u64 x2apic = 0xFEE00C00;
constexpr u32 logical = apic::logical, nobody = 7;

volatile u32 received[2], second_logical_id;

INTERRUPT_HANDLER(on_message) {
  const u32 self = static_cast<u32>(read_msr(msr_id)) & 1;
  received[self] = received[self] + 1;
  write_msr(msr_eoi, 0);
}

void enter_x2apic() { write_msr(apic::msr_base, read_msr(apic::msr_base) | x2apic); }

void expect_after(const char* what, u32 first, u32 second) {
  for (u32 turn = 0; turn < 20'000; ++turn) {
    window();
    if (received[0] + received[1] >= first + second && turn > 2'000) break;
    asm volatile("pause");
  }
  check(what, received[0] << 4 | received[1], first << 4 | second);
}
void forget() {
  received[0] = 0;
  received[1] = 0;
}
void expect(const char* what, u32 command, u32 destination, u32 first, u32 second) {
  forget();
  write_msr(msr_command, u64{destination} << 32 | apic::asserted | command | vector);
  expect_after(what, first, second);
}

/// The tester's MSI (PCI 3.0, 6.8.1).
void expect_msi(const char* what, u32 address, u32 first, u32 second) {
  u32 at = pci_read8(3, 0, 0x34);
  while (pci_read8(3, 0, at) != 5) at = pci_read8(3, 0, at + 1);
  pci_write(3, 0, 4, pci_read(3, 0, 4) | 4);
  pci_write(3, 0, at + 4, address);
  pci_write(3, 0, at + 8, 0);
  pci_write(3, 0, at + 12, vector);
  pci_write(3, 0, at, pci_read(3, 0, at) | 1u << 16);
  forget();
  tester(tester_start) = 1;
  expect_after(what, first, second);
}

}  // namespace

void second_cpu_main() {
  enter_x2apic();
  second_logical_id = static_cast<u32>(read_msr(msr_logical));
  interrupts_on();
  for (;;) asm volatile("pause");
}

void guest_main() {
  apic::start();
  find_tester();
  set_gate_target(vector, reinterpret_cast<const void*>(on_message));
  start_second_cpu();
  while (second_logical_id == 0) asm volatile("pause");
  enter_x2apic();
  const NotCompared here("SDM vol. 3, 10.12");
  check("the second CPU's logical id: cluster 0, bit 1", second_logical_id, 2);

  expect("physical: the second", 0, 1, 0, 1);
  expect("physical: itself", 0, 0, 1, 0);
  expect("physical: nobody", 0, nobody, 0, 0);
  expect("an id of 255 is no broadcast", 0, 0xFF, 0, 0);
  expect("all ones are", 0, 0xFFFFFFFF, 1, 1);
  expect("logical: the second", logical, 2, 0, 1);
  expect("logical: both", logical, 3, 1, 1);
  expect("logical: a bit that nobody has", logical, 4, 0, 0);
  expect("logical: another cluster", logical, 0x10002, 0, 0);
  expect("logical: all ones", logical, 0xFFFFFFFF, 1, 1);
  expect("to self", apic::to_self, 0, 1, 0);
  expect("to all", apic::to_all, 0, 1, 1);
  expect("to the others", apic::to_others, 0, 0, 1);
  expect_msi("an MSI, physical: the second", 0xFEE01000, 0, 1);
  expect_msi("an MSI, physical: the first", 0xFEE00000, 1, 0);
  expect_msi("an MSI, logical: the second", 0xFEE0200C & ~u32{8}, 0, 1);
}
