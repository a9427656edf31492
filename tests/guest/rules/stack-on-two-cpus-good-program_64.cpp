// Two threads of a program share one stack, which is theirs to know: the kernel loads its pointer on both CPUs, as it
// does right before SYSRET.
//
// qemu: no, it runs there with one CPU
// cpus: 2
#include "tests/guest/runtime/thread_stack.hpp"

extern "C" void second_cpu_main() {
  TAKE_THREAD();
  for (;;) asm volatile("pause");
}

/// The first 2 MiB, where the image is, become the kernel's.
void take_user_bit() {
  constexpr u64 user = 4;
  auto* const top = reinterpret_cast<u64*>(cr3() & ~word{0xFFF});
  auto* const pointers = reinterpret_cast<u64*>(top[0] & ~word{0xFFF});
  auto* const directory = reinterpret_cast<u64*>(pointers[0] & ~word{0xFFF});
  directory[0] &= ~user;
  set_cr3(cr3());
}

void guest_main() {
  constexpr word program_stack = 0x300000;
  io_apic::start();
  take_user_bit();
  start_second_cpu();
  RUN_THREAD(program_stack, PUBLISH_THREAD, LEAVE_STACK);
  check("the second CPU has been on the thread's stack", thread::taken, 1);
}
