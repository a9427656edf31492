// The timer's handler switches to another thread and means to send its EOI when it comes back: until then the 8259
// gives nothing to that thread.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

volatile u32 ticks, transmitted;
alignas(16) u8 second_stack[0x2000];

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  transmitted = transmitted + 1;
  pic_end(4);
}

}  // namespace

extern "C" {
word first_stack_pointer, second_stack_pointer;
void switch_threads();
[[noreturn]] void second_thread();
}

INTERRUPT_HANDLER(timer_handler) {
  ticks = ticks + 1;
  switch_threads();
  pic_end(0);
}

[[noreturn]] void second_thread() {
  uart_raise(com1);
  spend_millions(12);
  check("the second thread runs", ticks, 1);
  check("but nothing interrupts it", transmitted, 0);
  check("the timer is in service", pic_in_service(), 1 << 0);
  interrupts_off();
  finish();
}

#if GUEST_64
asm(".text\nswitch_threads: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "mov %rsp, first_stack_pointer(%rip); mov second_stack_pointer(%rip), %rsp; iretq\n");
#else
asm(".text\nswitch_threads: push %ebx; push %ebp; push %esi; push %edi\n"
    "mov %esp, first_stack_pointer; mov second_stack_pointer, %esp; iret\n");
#endif

namespace {

/// A thread that has never run: what its first IRET pops.
void make_second_thread() {
  auto* top = reinterpret_cast<word*>(second_stack + sizeof second_stack - 64);
  const auto stack = reinterpret_cast<word>(top) - sizeof(word);  // as after a CALL
  *--top = kernel_data;
  *--top = stack;
  *--top = 2 | flag_if;
  *--top = kernel_code;
  *--top = reinterpret_cast<word>(second_thread);
  second_stack_pointer = reinterpret_cast<word>(top);
}

}  // namespace

void guest_main() {
  set_irq_handler(0, timer_handler);
  set_irq_handler(4, serial_handler);
  make_second_thread();
  pic_allow(1 << 0 | 1 << 4);
  pit_start(0, 1);
  interrupts_on();
  for (;;) {
  }
}
