// A handler that uses XMM0 saves it first. One that clobbers what nobody needs, or registers that belong to nobody
// (CR0.TS), does no harm.
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

extern "C" {
u32 ticks, others;
alignas(16) u64 expected[2] = {0x4045000000000000, 0};  // 42.0
alignas(16) u64 seen[2];
alignas(16) u8 saved[512];
}

namespace {

void on_serial(Frame&) {
  ++ticks;
  asm volatile("fxsave saved; xorps %%xmm0, %%xmm0; fxrstor saved" ::: "memory");
  uart_quiet(com1);
  pic_end(4);
}

void on_second_serial(Frame&) {
  ++others;
  const word control = cr0();
  set_cr0(control & ~cr0_ts);
  asm volatile("xorps %%xmm1, %%xmm1" ::: "memory");
  set_cr0(control);
  uart_quiet(com2);
  pic_end(3);
}

void enable_sse() {
  set_cr0((cr0() & ~(cr0_em | cr0_ts)) | cr0_mp);
  set_cr4(cr4() | cr4_osfxsr | cr4_osxmmexcpt);
}

}  // namespace

void guest_main() {
  enable_sse();
  set_handler(irq_base + 4, on_serial);
  set_handler(irq_base + 3, on_second_serial);
  pic_allow(1 << 4 | 1 << 3);
  uart_raise(com1);
  asm volatile("movapd expected, %%xmm0; sti; nop; nop; cli; movapd %%xmm0, seen" ::: "memory");
  check("the interrupt came", ticks, 1);
  check("and XMM0 is as it was", seen[0], expected[0]);

  uart_raise(com2);
  asm volatile("movapd expected, %%xmm1; sti; nop; nop; cli; movapd expected, %%xmm1" ::: "memory");
  check("a register that is written next may change", others, 1);

  uart_raise(com2);
  set_cr0(cr0() | cr0_ts);
  asm volatile("sti; nop; nop; cli; clts; movapd %%xmm1, seen" ::: "memory");
  check("so may the registers of nobody", others, 2);
}
