// A handler of compiled code uses XMM0 and nobody saves it: the interrupted code's sum is lost.
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

extern "C" {
u32 ticks;
alignas(16) u64 expected[2] = {0x4045000000000000, 0};  // 42.0
alignas(16) u64 seen[2];
}

#if GUEST_64
#define SAVE "push %rax; push %rcx; push %rdx; push %rsi; push %rdi; push %r8; push %r9; push %r10; push %r11"
#define RESTORE "pop %r11; pop %r10; pop %r9; pop %r8; pop %rdi; pop %rsi; pop %rdx; pop %rcx; pop %rax"
#else
#define SAVE "push %eax; push %ecx; push %edx"
#define RESTORE "pop %edx; pop %ecx; pop %eax"
#endif

extern "C" void on_serial() {
  ++ticks;
  asm volatile("xorps %%xmm0, %%xmm0" ::: "memory");  // what a compiler makes of a copy, or of a sum
  uart_quiet(com1);
  pic_end(4);
}

namespace {

[[gnu::naked]] void serial_entry() {
  asm volatile(SAVE);
  asm volatile("call on_serial");
  asm volatile(RESTORE);
  asm volatile(IRET);
}

void enable_sse() {
  set_cr0((cr0() & ~(cr0_em | cr0_ts)) | cr0_mp);
  set_cr4(cr4() | cr4_osfxsr | cr4_osxmmexcpt);
}

}  // namespace

void guest_main() {
  enable_sse();
  set_entry(irq_base + 4, serial_entry);
  pic_allow(1 << 4);
  uart_raise(com1);
  asm volatile("movapd expected, %%xmm0; sti; nop; nop; cli; movapd %%xmm0, seen" ::: "memory");
  check("the interrupt came", ticks, 1);
  check("and took the value from XMM0", seen[0], 0);
}
