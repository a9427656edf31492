// Performance counters of version 2 (SDM vol. 3, 18.2) and LVT performance counter. QEMU's TCG has none.
#include "tests/guest/runtime/apic.hpp"
#include "tests/guest/runtime/interrupt.hpp"

namespace {

constexpr u32 msr_counter0 = 0xC1, msr_select0 = 0x186, msr_fixed_control = 0x38D, msr_status = 0x38E,
              msr_control = 0x38F, msr_overflow_control = 0x390;
constexpr u64 instructions = 0xC0, cycles = 0x3C, user = 1u << 16, system = 1u << 17, interrupts = 1u << 20,
              enabled = 1u << 22;
constexpr u8 vector = 0xF9;

volatile u32 count, nmis;

INTERRUPT_HANDLER(on_overflow) {
  count = count + 1;
  apic::end_of_interrupt();
}
INTERRUPT_HANDLER(on_nmi) { nmis = nmis + 1; }

bool has_counters() {
  u32 eax = 0xA, ebx, ecx = 0, edx;
  asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  return (eax & 0xFF) == 2 && (eax >> 8 & 0xFF) >= 2 && (edx & 0x1F) == 3;
}

u32 read_counter(u32 index) {
  u32 low, high;
  asm volatile("rdpmc" : "=a"(low), "=d"(high) : "c"(index));
  return low;
}

/// Sets counter 0 so that it runs over in so many events, and lets them pass.
void run_over(u64 event, u32 events) {
  write_msr(msr_select0, 0);
  write_msr(msr_counter0, ~u64{0} - events + 1);
  write_msr(msr_select0, event | system | interrupts | enabled);
  spend_millions_with_interrupts(1);
  write_msr(msr_select0, 0);
}

}  // namespace

void guest_main() {
  apic::start();
  set_gate_target(vector, reinterpret_cast<const void*>(on_overflow));
  set_gate_target(2, reinterpret_cast<const void*>(on_nmi));
  const NotCompared here("SDM vol. 3, 18.2");
  check_true("CPUID shows two general counters and three fixed ones", has_counters());
  if (!has_counters()) return;

  write_msr(msr_select0, instructions | system | enabled);
  u32 before, after;
  asm volatile("rdpmc; mov %%eax, %%esi; nop; nop; nop; rdpmc" : "=a"(after), "=S"(before) : "c"(0) : "edx");
  check("instructions are counted one by one", after - before, 5);
  write_msr(msr_select0, instructions | user | enabled);
  before = read_counter(0);
  spend_millions(1);
  check("those of ring 0 are not the user's", read_counter(0) - before, 0);
  write_msr(msr_fixed_control, 0x011);
  write_msr(msr_control, 0x3'0000'0003);
  const u32 cycles_before = read_counter(1u << 30 | 1), retired_before = read_counter(1u << 30);
  spend_millions(1);
  check_true(
      "a million instructions are retired, and no fewer cycles pass",
      read_counter(1u << 30) - retired_before >= 1'000'000 && read_counter(1u << 30 | 1) - cycles_before >= 1'000'000);
  write_msr(msr_fixed_control, 0);

  apic::write(apic::lvt_performance, vector);
  run_over(instructions, 1000);
  check("an overflow interrupts", count, 1);
  check("its status is set", read_msr(msr_status), 1);
  check("its entry is masked by that", apic::read(apic::lvt_performance), apic::masked | vector);
  write_msr(msr_overflow_control, 1);
  check("the status can be cleared", read_msr(msr_status), 0);
  run_over(cycles, 1000);
  check("masked it does not interrupt", count, 1);
  apic::write(apic::lvt_performance, 4u << 8);
  run_over(cycles, 1000);
  check("as an NMI it does", nmis, 1);
  check("and not as a vector", count, 1);
}
