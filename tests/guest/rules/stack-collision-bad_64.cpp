// Two vectors share one stack of the interrupt stack table, and the handler of the first lets the second in: its frame
// is pushed over the first one's, at the very top of that stack.
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

extern "C" {
u32 inner, ends;
void report_end();
}

namespace {

alignas(16) u8 interrupt_stack[4096];

[[gnu::naked]] void outer_entry() {
  asm volatile("push %rax; push %rdx");
  asm volatile("movw $0x2FC, %dx; movb $0x08, %al; outb %al, %dx");
  asm volatile("movw $0x2F9, %dx; movb $0x02, %al; outb %al, %dx");
  asm volatile("pop %rdx; pop %rax");
  asm volatile("sti; nop; nop; cli");  // COM2's interrupt comes here
  asm volatile("incl ends");
  asm volatile("cmpl $2, ends");
  asm volatile("je report_end");
  asm volatile("iretq");
}

[[gnu::naked]] void inner_entry() {
  asm volatile("incl inner");
  asm volatile("iretq");
}

}  // namespace

void report_end() {
  check("one inner interrupt came", inner, 1);
  check("the outer handler comes to its end again and again", ends, 2);
  finish();
}

void guest_main() {
  guest_tss.ist[0] = reinterpret_cast<word>(interrupt_stack + sizeof interrupt_stack);
  pic_start(irq_base, irq_base + 8, 0x03);  // the 8259 ends interrupts by itself
  set_entry(irq_base + 4, outer_entry);
  set_entry(irq_base + 3, inner_entry);
  set_gate_ist(irq_base + 4, 1);
  set_gate_ist(irq_base + 3, 1);
  pic_allow(1 << 4 | 1 << 3);
  uart_raise(com1);
  asm volatile("sti; nop; nop; cli" ::: "memory");
  check_true("the interrupted code goes on", false);
}
