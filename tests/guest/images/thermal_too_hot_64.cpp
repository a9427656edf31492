// A core whose heat sink is too small (SDM vol. 3, 14.8.2): guest_test gives it air of 60 degrees and 60 more at full
// load. It crosses 100 degrees, then the critical 105, and cools down in HLT. QEMU's TCG has no thermal sensor.
#include "tests/guest/runtime/apic.hpp"
#include "tests/guest/runtime/interrupt.hpp"

namespace {

constexpr u32 msr_interrupt = 0x19B, msr_status = 0x19C;
constexpr u32 hot = 1, cool = 2, prochot = 4, critical = 16;  // of IA32_THERM_INTERRUPT
constexpr u8 vector = 0xFA;

volatile u32 count, status[4];

INTERRUPT_HANDLER(on_thermal) {
  if (count < 4) status[count] = static_cast<u32>(read_msr(msr_status)) & 0x3F;
  count = count + 1;
  write_msr(msr_status, 0);  // the log
  apic::end_of_interrupt();
}

}  // namespace

void guest_main() {
  apic::start();
  set_gate_target(vector, reinterpret_cast<const void*>(on_thermal));
  apic::write(apic::lvt_thermal, vector);
  check("cold: neither status nor log", read_msr(msr_status) & 0x3F, 0);
  write_msr(msr_interrupt, hot | cool | prochot | critical);
  for (int i = 0; i < 400 && count < 1; ++i) spend_millions_with_interrupts(1);
  check("at 100 degrees it interrupts", count, 1);
  check("with the thermal and the PROCHOT status, and their logs", status[0], 0b001111);
  check("the readout is at its end", read_msr(msr_status) >> 16 & 0x7F, 0);
  for (int i = 0; i < 400 && count < 2; ++i) spend_millions_with_interrupts(1);
  check("at 105 again", count, 2);
  check("with the critical status and its log", status[1], 0b110101);
  while (count < 3) wait_for_interrupt();
  check("below 100 again", status[2] & 0b000101, 0);
  check("with the logs of what has changed", status[2], 0b101010);
  write_msr(msr_interrupt, 0);
}
