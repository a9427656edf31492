// IF belongs to a thread like its registers: the switch saves and restores it.
#include "tests/guest/runtime/guest.hpp"

extern "C" {
/// Pushes what a function must keep, leaves the stack in *save and goes on with another.
[[gnu::naked]] void switch_to(word* /*save*/, word /*load*/) {
#if GUEST_64
  asm("pushf; cli\n"
      "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
      "mov %rsp, (%rdi)\n"
      "mov %rsi, %rsp\n"
      "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
      "popf\n"
      "ret");
#else
  asm("mov 4(%esp), %eax\n"
      "mov 8(%esp), %edx\n"
      "pushf; cli\n"
      "push %ebx; push %ebp; push %esi; push %edi\n"
      "mov %esp, (%eax)\n"
      "mov %edx, %esp\n"
      "pop %edi; pop %esi; pop %ebp; pop %ebx\n"
      "popf\n"
      "ret");
#endif
}
}
constexpr int saved_registers = GUEST_64 ? 6 : 4;

namespace {
alignas(16) word second_stack[1024];
word first, second;
u32 steps;

void second_thread() {
  for (;;) {
    interrupts_off();  // a critical section of its own
    ++steps;
    switch_to(&second, first);
    interrupts_on();
  }
}

word new_thread(Code code) {
  word* top = second_stack + 1020;
  *--top = 0;
  *--top = reinterpret_cast<word>(code);
  *--top = 2;  // its flags: interrupts off
  return reinterpret_cast<word>(top - saved_registers);
}
}  // namespace

void guest_main() {
  second = new_thread(second_thread);
  interrupts_on();
  switch_to(&first, second);
  for (u32 i = 0; i < 100; ++i) asm volatile("" ::"r"(i));
  check("the second thread ran", steps, 1);
  check("interrupts are on in the first", flags() & flag_if, flag_if);
}
