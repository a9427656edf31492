// A thread's stack pointer is published on the next stack, behind the switch.
// qemu: no, it runs there with one CPU
// cpus: 2
#include "tests/guest/runtime/thread_stack.hpp"

extern "C" void second_cpu_main() {
  TAKE_THREAD();
  for (;;) asm volatile("pause");
}

void guest_main() {
  io_apic::start();
  start_second_cpu();
  RUN_THREAD(thread::stack + 4096, LEAVE_STACK, PUBLISH_THREAD);
  check("the second CPU has been on the thread's stack", thread::taken, 1);
}
