// A thread's stack pointer is published before the CPU has left its stack: the second CPU goes on with it at once.
// qemu: no, it runs there with one CPU
// cpus: 2
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/second_cpu.hpp"

namespace {
u32 thread_stack[4096];
volatile u32 saved, published, taken;
}  // namespace

extern "C" void second_cpu_main() {
  while (published == 0) asm volatile("pause");
  asm volatile(
      "movl %%esp, %%ebx\n\t"
      "movl %[saved], %%esp\n\t"
      "pushl $0\n\t"
      "popl %%eax\n\t"
      "movl %%ebx, %%esp\n\t"
      "movl $1, %[taken]"
      : [taken] "=m"(taken)
      : [saved] "m"(saved)
      : "eax", "ebx", "memory");
  for (;;) asm volatile("pause");
}

void guest_main() {
  io_apic::start();
  start_second_cpu();
  u32 top = reinterpret_cast<word>(thread_stack + 4096);
  asm volatile(
      "movl %%esp, %%ebx\n\t"  // the scheduler's own stack
      "movl %[top], %%esp\n\t"
      "pushl $1f\n\t"
      "movl %%esp, %[saved]\n\t"
      "movl $1, %[published]\n"
      "2: pause\n\t"
      "cmpl $0, %[taken]\n\t"
      "je 2b\n\t"
      "movl %%ebx, %%esp\n"
      "1:"
      : [saved] "=m"(saved), [published] "=m"(published)
      : [top] "r"(top), [taken] "m"(taken)
      : "ebx", "memory");
  check("the second CPU has been on the thread's stack", taken, 1);
}
