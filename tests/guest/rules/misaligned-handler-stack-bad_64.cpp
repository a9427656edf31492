// An entry calls compiled code with a stack that is 8 bytes off: the code's aligned store faults (System V ABI, AMD64
// supplement, 3.2.2).
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

namespace {

/// What a compiler makes of a function with a vector among its local variables.
extern "C" [[gnu::naked]] void serial_handler() {
  asm volatile("sub $24, %rsp");
  asm volatile("movaps %xmm0, (%rsp)");
  asm volatile("movaps (%rsp), %xmm0");
  asm volatile("add $24, %rsp");
  asm volatile("ret");
}

[[gnu::naked]] void serial_entry() {
  asm volatile("push %rax");
  asm volatile("push %rdx");
  asm volatile("movw $0x3F9, %dx; xorl %eax, %eax; outb %al, %dx");
  asm volatile("movb $0x20, %al; outb %al, $0x20");
  asm volatile("call serial_handler");  // 5 words of the CPU and 2 of ours
  asm volatile("pop %rdx");
  asm volatile("pop %rax");
  asm volatile("iretq");
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
  const Trap trap = run([] { window(); });
  check("the store faults", trap.vector, 13);
}
