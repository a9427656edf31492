// One instruction after STI, MOV SS and POP SS no interrupt is taken (SDM vol. 2, STI; MOV; vol. 3, 6.8.3).
#include "tests/guest/runtime/pic.hpp"

extern "C" {
word shadow_ip;
u32 shadow_count;
}

namespace {
void on_irq4(Frame& frame) {
  shadow_ip = frame.ip;
  ++shadow_count;
  uart_quiet(com1);
  pic_end(4);
}
}  // namespace

PROBE(after_sti, "sti; .globl sti_1; sti_1: incl %eax; .globl sti_2; sti_2: incl %eax; incl %eax", "cli", "")
PROBE(sti_then_cli, "sti; cli; nop", "nop", "")
PROBE(sti_again, "sti; nop; sti; nop", "cli", "")
PROBE(two_stis, "cli; sti; sti; .globl two_stis_end; two_stis_end: nop; nop", "cli", "")
PROBE(popf_has_no_shadow,
      "pushf; pop %" REGISTER_A "; orl $0x200, %eax; push %" REGISTER_A "; popf; .globl popf_end; popf_end: nop; nop",
      "cli", "")
PROBE(sti_hlt, "sti; hlt; .globl sti_hlt_end; sti_hlt_end: nop", "cli", "")
PROBE(mov_ss_after_sti,
      "movl %ss, %ecx; sti; movl %ecx, %ss; .globl mov_ss_1; mov_ss_1: nop; .globl mov_ss_2; mov_ss_2: nop; nop", "cli",
      "")
extern "C" const char sti_2[], two_stis_end[], popf_end[], sti_hlt_end[], mov_ss_2[];

namespace {
word interrupted_at(Code code, u32& count) {
  shadow_ip = 0;
  shadow_count = 0;
  uart_raise(com1);
  check("it runs to its end", run(code).vector, no_trap);
  uart_quiet(com1);
  count = shadow_count;
  return shadow_ip;
}
word address(const char* mark) { return reinterpret_cast<word>(mark); }
}  // namespace

void guest_main() {
  set_handler(irq_base + 4, on_irq4);
  pic_allow(1 << 4);
  u32 count = 0;
  check("STI: one more instruction first", interrupted_at(after_sti, count), address(sti_2));
  check("it comes once", count, 1);
  interrupted_at(sti_then_cli, count);
  check("STI, CLI: no interrupt between", count, 0);
  check("the request waits for the next STI", interrupted_at(after_sti, count), address(sti_2));
  interrupted_at(sti_again, count);
  check("it comes once, however often STI", count, 1);
  check("POPF that sets IF has no shadow", interrupted_at(popf_has_no_shadow, count), address(popf_end));
  check("STI, HLT: wakes behind HLT", interrupted_at(sti_hlt, count), address(sti_hlt_end));
  check("the second of two STIs adds no shadow", interrupted_at(two_stis, count), address(two_stis_end));
  // Only the first of several in a row is sure to hold interrupts back; ours all do.
  const NotCompared here("SDM vol. 3, 6.8.3");
  check("MOV SS right after STI", interrupted_at(mov_ss_after_sti, count), address(mov_ss_2));
}
