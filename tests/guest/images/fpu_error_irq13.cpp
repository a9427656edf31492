// With CR0.NE clear, an x87 error goes out on FERR# and comes back as IRQ 13; a write to port F0 lets the FPU go on
// (SDM vol. 1, D.2; IBM PC/AT Technical Reference).
#include "tests/guest/runtime/pic.hpp"

namespace {
u32 count;
u16 status;
void on_irq13(Frame&) {
  ++count;
  asm volatile("fnstsw %0" : "=m"(status));
  out8(0xF0, 0);
  asm volatile("fnclex");
  pic_end(13);
}
constexpr u16 all_unmasked = 0x0300;
}  // namespace

void guest_main() {
  set_handler(irq_base + 13, on_irq13);
  set_cr0((cr0() & ~cr0_ne & ~cr0_em & ~cr0_ts) | cr0_mp);
  pic_allow(1 << 13 | 1 << 2);
  interrupts_on();
  asm volatile("fninit; fldcw %0; fldz; fld1; fdivp; fwait; nop; nop" ::"m"(all_unmasked));
  interrupts_off();
  check("IRQ 13 came, once", count, 1);
  check("the zero divide is in the status word", status & 0x84, 0x84);
  interrupts_on();
  asm volatile("fninit; fld1; fld1; faddp; fwait; fninit");
  interrupts_off();
  check("no error, no interrupt", count, 1);
}
