// What each CPU has for itself. In the kernel GS:0 points at it.
#pragma once

#include <cstddef>

#include "kernel/arch/x86_64/layout.h"
#include "kernel/core/types.hpp"

namespace pulse {

struct Thread;

struct PerCpu {
  PerCpu* self = nullptr;
  u64 kernel_stack = 0;  ///< top of the running thread's kernel stack: where SYSCALL goes on
  u64 user_stack = 0;    ///< RSP of the program while SYSCALL's stub changes stacks
  Thread* current = nullptr;
  u32 number = 0;
  u32 interrupt_depth = 0;  ///< top halves that are running
  bool reschedule = false;  ///< somebody else should have the CPU
};
static_assert(offsetof(PerCpu, kernel_stack) == PER_CPU_KERNEL_STACK);
static_assert(offsetof(PerCpu, user_stack) == PER_CPU_USER_STACK);

[[nodiscard]] inline PerCpu& this_cpu() {
  PerCpu* cpu;
  asm volatile("movq %%gs:0, %0" : "=r"(cpu));
  return *cpu;
}

}  // namespace pulse
