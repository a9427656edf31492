// Errors of the hardware (SDM vol. 3, ch. 15): three that were corrected, then one that was not. guest_test makes them
// happen; QEMU's come by its monitor.
#include "tests/guest/runtime/apic.hpp"
#include "tests/guest/runtime/interrupt.hpp"

namespace {

constexpr u32 msr_capabilities = 0x179, msr_status = 0x17A, msr_bank_control2 = 0x280, msr_bank_control = 0x400,
              msr_bank_status = 0x401, msr_bank_misc = 0x403, lvt_cmci = 0x2F0;
constexpr u64 cmci_enable = 1u << 30;
constexpr u8 vector = 0xF7;
constexpr word cr4_mce = 0x40;

volatile u32 corrected, aborts;

void write_one() { write_msr(msr_bank_control, 1); }

INTERRUPT_HANDLER(on_corrected) {
  corrected = corrected + 1;
  apic::end_of_interrupt();
}
INTERRUPT_HANDLER(on_abort) {
  aborts = aborts + 1;
  check("RIP is valid, a machine check is in progress", read_msr(msr_status), 5);
  write_msr(msr_status, 0);
}

}  // namespace

void guest_main() {
  apic::start();
  set_gate_target(vector, reinterpret_cast<const void*>(on_corrected));
  set_gate_target(18, reinterpret_cast<const void*>(on_abort));
  check("one bank, with CMCI", read_msr(msr_capabilities), 0x401);
  write_msr(msr_bank_control2, cmci_enable | 3);
  check("the threshold reads back", read_msr(msr_bank_control2), cmci_enable | 3);
  write_msr(msr_bank_control, ~u64{0});
  check("its control takes all ones or all zeros", run(write_one).vector, 13);
  write_msr(msr_bank_misc, 0x77);
  check("MISC reads back", read_msr(msr_bank_misc), 0x77);
  apic::write(lvt_cmci, vector);
  set_cr4(cr4() | cr4_mce);

  for (int i = 0; i < 50 && corrected == 0; ++i) spend_millions_with_interrupts(1);
  check("the third corrected error interrupts", corrected, 1);
  check("the bank has counted", read_msr(msr_bank_status) >> 38 & 0x7FFF, 3);
  write_msr(msr_bank_status, 0);
  check("and can be cleared", read_msr(msr_bank_status), 0);
  for (int i = 0; i < 50 && aborts == 0; ++i) spend_millions_with_interrupts(1);
  check("what can't be corrected is #MC", aborts, 1);
  check("VAL, UC, EN, PCC", read_msr(msr_bank_status) >> 57, 0b1011001);
  check("no CMCI with it", corrected, 1);
}
