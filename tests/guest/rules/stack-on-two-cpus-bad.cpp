// A thread's stack pointer is published before the CPU has left its stack: the second CPU goes on with it at once.
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
  RUN_THREAD(thread::stack + 4096, PUBLISH_THREAD, LEAVE_STACK);
  check("the second CPU has been on the thread's stack", thread::taken, 1);
}
