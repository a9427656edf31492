// What each CPU has for itself. In the kernel GS:0 points at it.
#pragma once

#include <cstddef>

#include "kernel/arch/x86_64/layout.h"
#include "kernel/core/atomic.hpp"
#include "kernel/core/run_queue.hpp"
#include "kernel/core/types.hpp"

namespace pulse {

struct Thread;
class AddressSpace;

struct PerCpu {
  PerCpu* self = nullptr;
  u64 kernel_stack = 0;  ///< top of the running thread's kernel stack: where SYSCALL goes on
  u64 user_stack = 0;    ///< RSP of the program while SYSCALL's stub changes stacks
  Thread* current = nullptr;
  u32 number = 0;
  u32 interrupt_depth = 0;  ///< top halves that are running
  bool reschedule = false;  ///< somebody else should have the CPU
  u32 apic_id = 0;
  u32 kernel_depth = 0;  ///< ways into the kernel that were not left yet (kernel_lock.hpp)
  Thread* idle = nullptr;
  Thread* dead = nullptr;         ///< its stack is given back by whoever runs next here
  RunQueue ready;                 ///< threads that wait for this CPU
  AddressSpace* space = nullptr;  ///< whose page tables it has; null: the kernel's own
  Atomic<bool> flush_wanted{false};
  bool owes_tick = false;    ///< a tick came while another CPU was in the kernel
  bool sleeps_long = false;  ///< idle, with no tick until a timer is due
  // What /proc shows.
  u64 vector_counts[256] = {};                           ///< interrupts and exceptions that were delivered here
  u64 user_ticks = 0, system_ticks = 0, idle_ticks = 0;  ///< what ticks interrupted
  u64 switches = 0;                                      ///< from one thread to another
};
static_assert(offsetof(PerCpu, kernel_stack) == PER_CPU_KERNEL_STACK);
static_assert(offsetof(PerCpu, user_stack) == PER_CPU_USER_STACK);

inline constexpr u32 most_cpus = 64;
/// Those that run, by number.
[[nodiscard]] u32 cpu_count();
[[nodiscard]] PerCpu& cpu_at(u32 number);

[[nodiscard]] inline PerCpu& this_cpu() {
  PerCpu* cpu;
  asm volatile("movq %%gs:0, %0" : "=r"(cpu));
  return *cpu;
}

}  // namespace pulse
