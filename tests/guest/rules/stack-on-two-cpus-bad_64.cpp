// A thread's stack pointer is published before the CPU has left its stack: the second CPU goes on with it at once.
// qemu: no, it runs there with one CPU
// cpus: 2
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/second_cpu.hpp"

namespace {
word thread_stack[4096];
volatile word saved;
volatile u32 published, taken;
}  // namespace

extern "C" void second_cpu_main() {
  while (published == 0) asm volatile("pause");
  asm volatile(
      "movq %%rsp, %%rbx\n\t"
      "movq %[saved], %%rsp\n\t"
      "pushq $0\n\t"
      "popq %%rax\n\t"
      "movq %%rbx, %%rsp\n\t"
      "movl $1, %[taken]"
      : [taken] "=m"(taken)
      : [saved] "m"(saved)
      : "rax", "rbx", "memory");
  for (;;) asm volatile("pause");
}

void guest_main() {
  io_apic::start();
  start_second_cpu();
  word top = reinterpret_cast<word>(thread_stack + 4096);
  asm volatile(
      "movq %%rsp, %%rbx\n\t"  // the scheduler's own stack
      "movq %[top], %%rsp\n\t"
      "pushq $1f\n\t"
      "movq %%rsp, %[saved]\n\t"
      "movl $1, %[published]\n"
      "2: pause\n\t"
      "cmpl $0, %[taken]\n\t"
      "je 2b\n\t"
      "movq %%rbx, %%rsp\n"
      "1:"
      : [saved] "=m"(saved), [published] "=m"(published)
      : [top] "r"(top), [taken] "m"(taken)
      : "rbx", "memory");
  check("the second CPU has been on the thread's stack", taken, 1);
}
