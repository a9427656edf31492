// Variables above the stack pointer; a red zone under a handler with a stack of its own (IST); bytes below the stack
// pointer that are written before they are read.
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

namespace {

u32 ticks;
alignas(16) u8 interrupt_stack[4096];

void on_serial(Frame&) {
  ++ticks;
  uart_quiet(com1);
  pic_end(4);
}

[[gnu::naked]] word above() {
  asm volatile("sub $16, %rsp");
  asm volatile("movq $0x1234, (%rsp)");
  asm volatile("sti; nop; nop; cli");
  asm volatile("movq (%rsp), %rax");
  asm volatile("add $16, %rsp");
  asm volatile("ret");
}

[[gnu::naked]] word below() {
  asm volatile("movq $0x1234, -16(%rsp)");
  asm volatile("sti; nop; nop; cli");
  asm volatile("movq -16(%rsp), %rax");
  asm volatile("ret");
}

[[gnu::naked]] word written_again() {
  asm volatile("sti; nop; nop; cli");
  asm volatile("movq $0x1234, -16(%rsp)");
  asm volatile("movq -16(%rsp), %rax");
  asm volatile("ret");
}

}  // namespace

void guest_main() {
  set_handler(irq_base + 4, on_serial);
  pic_allow(1 << 4);
  uart_raise(com1);
  check("a variable above the stack pointer stays", above(), 0x1234);
  uart_raise(com1);
  check("one below it may be written and read", written_again(), 0x1234);
  guest_tss.ist[0] = reinterpret_cast<word>(interrupt_stack + sizeof interrupt_stack);
  set_gate_ist(irq_base + 4, 1);
  uart_raise(com1);
  check("it stays when the handler has a stack of its own", below(), 0x1234);
  check("three interrupts came", ticks, 3);
}
