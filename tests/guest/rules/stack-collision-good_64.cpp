// Two vectors with a stack of the interrupt stack table for each: one may come while the other is handled.
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

extern "C" {
u32 inner, ends;
}

namespace {

alignas(16) u8 outer_stack[4096];
alignas(16) u8 inner_stack[4096];

[[gnu::naked]] void outer_entry() {
  asm volatile("push %rax; push %rdx");
  asm volatile("movw $0x2FC, %dx; movb $0x08, %al; outb %al, %dx");
  asm volatile("movw $0x2F9, %dx; movb $0x02, %al; outb %al, %dx");
  asm volatile("pop %rdx; pop %rax");
  asm volatile("sti; nop; nop; cli");  // COM2's interrupt comes here
  asm volatile("incl ends");
  asm volatile("iretq");
}

[[gnu::naked]] void inner_entry() {
  asm volatile("incl inner");
  asm volatile("iretq");
}

}  // namespace

void guest_main() {
  guest_tss.ist[0] = reinterpret_cast<word>(outer_stack + sizeof outer_stack);
  guest_tss.ist[1] = reinterpret_cast<word>(inner_stack + sizeof inner_stack);
  pic_start(irq_base, irq_base + 8, 0x03);  // the 8259 ends interrupts by itself
  set_entry(irq_base + 4, outer_entry);
  set_entry(irq_base + 3, inner_entry);
  set_gate_ist(irq_base + 4, 1);
  set_gate_ist(irq_base + 3, 2);
  pic_allow(1 << 4 | 1 << 3);
  uart_raise(com1);
  asm volatile("sti; nop; nop; cli" ::: "memory");
  check("one inner interrupt came", inner, 1);
  check("the outer handler came to its end", ends, 1);
}
