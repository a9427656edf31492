// The core gets warm with work and says so (SDM vol. 3, 14.8). QEMU's TCG has no thermal sensor.
#include "tests/guest/runtime/apic.hpp"
#include "tests/guest/runtime/interrupt.hpp"

namespace {

constexpr u32 msr_interrupt = 0x19B, msr_status = 0x19C;
constexpr u8 vector = 0xFA;

volatile u32 count;

INTERRUPT_HANDLER(on_thermal) {
  count = count + 1;
  apic::end_of_interrupt();
}

/// Degrees below the highest temperature.
u32 below() { return static_cast<u32>(read_msr(msr_status) >> 16 & 0x7F); }

bool has_sensor() {
  u32 eax = 6, ebx, ecx = 0, edx;
  asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  return (eax & 1) != 0 && (ebx & 0xF) >= 2;
}

}  // namespace

void guest_main() {
  apic::start();
  set_gate_target(vector, reinterpret_cast<const void*>(on_thermal));
  const NotCompared here("SDM vol. 3, 14.8.5");
  check_true("CPUID shows a sensor with two thresholds", has_sensor());
  if (!has_sensor()) return;
  check_true("the readout is valid", (read_msr(msr_status) >> 31 & 1) != 0);
  const u32 at_start = below();
  apic::write(apic::lvt_thermal, vector);
  write_msr(msr_interrupt, 1u << 15 | 50u << 8);  // threshold 1: 50 degrees below
  check("it is not reached", read_msr(msr_status) & 0x40, 0);
  for (int i = 0; i < 20 && count == 0; ++i) spend_millions_with_interrupts(5);
  check("work reaches it and interrupts", count, 1);
  check("its status and its log are set", read_msr(msr_status) & 0xC0, 0xC0);
  check_true("the readout has fallen", below() < at_start);
  write_msr(msr_status, 0);
  check("the log can be cleared, the status can't", read_msr(msr_status) & 0xC0, 0x40);
  write_msr(msr_interrupt, 0);
}
