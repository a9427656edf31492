// A thread's stack pointer is published on the next stack, behind the switch.
// qemu: no, it runs there with one CPU
// cpus: 2
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/register_names.hpp"
#include "tests/guest/runtime/second_cpu.hpp"

namespace {
word thread_stack[4096];
volatile word saved;
volatile u32 published, taken;
}  // namespace

extern "C" void second_cpu_main() {
  while (published == 0) asm volatile("pause");
  asm volatile("mov " SP ", " BX
               "\n\t"
               "mov %[saved], " SP
               "\n\t"
               "push $0\n\t"
               "pop " AX
               "\n\t"
               "mov " BX ", " SP
               "\n\t"
               "movl $1, %[taken]"
               : [taken] "=m"(taken)
               : [saved] "m"(saved)
               : AX_BX_CLOBBERED, "memory");
  for (;;) asm volatile("pause");
}

void guest_main() {
  io_apic::start();
  start_second_cpu();
  word top = reinterpret_cast<word>(thread_stack + 4096);
  asm volatile("mov " SP ", " BX
               "\n\t"  // the scheduler's own stack
               "mov %[top], " SP
               "\n\t"
               "push $1f\n\t"
               "mov " SP
               ", %[saved]\n\t"
               "mov " BX ", " SP
               "\n\t"
               "movl $1, %[published]\n"
               "2: pause\n\t"
               "cmpl $0, %[taken]\n\t"
               "je 2b\n"
               "1:"
               : [saved] "=m"(saved), [published] "=m"(published)
               : [top] "r"(top), [taken] "m"(taken)
               : AX_BX_CLOBBERED, "memory");
  check("the second CPU has been on the thread's stack", taken, 1);
}
