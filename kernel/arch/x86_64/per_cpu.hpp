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
  // What /proc shows.
  u64 vector_counts[256] = {};                           ///< interrupts and exceptions that were delivered here
  u64 user_ticks = 0, system_ticks = 0, idle_ticks = 0;  ///< what ticks interrupted
  u64 switches = 0;                                      ///< from one thread to another
};
static_assert(offsetof(PerCpu, kernel_stack) == PER_CPU_KERNEL_STACK);
static_assert(offsetof(PerCpu, user_stack) == PER_CPU_USER_STACK);

/// Those that run, by number.
[[nodiscard]] u32 cpu_count();
[[nodiscard]] PerCpu& cpu_at(u32 number);

[[nodiscard]] inline PerCpu& this_cpu() {
  PerCpu* cpu;
  asm volatile("movq %%gs:0, %0" : "=r"(cpu));
  return *cpu;
}

}  // namespace pulse
