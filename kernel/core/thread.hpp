// A thread: what the scheduler switches between.
#pragma once

#include "abi/linux_signal.hpp"
#include "kernel/core/run_queue.hpp"
#include "kernel/core/timer_queue.hpp"

namespace pulse {

struct Process;

enum class ThreadState : u8 {
  New,      ///< made, not started
  Ready,    ///< in the run queue
  Running,  ///< has the CPU
  Blocked,  ///< waits for somebody to call wake()
  Dead,     ///< its stack is given back by whoever runs next
};

/// x87 and SSE state as FXSAVE writes it (SDM vol. 1 §10.5).
struct alignas(16) FloatingPoint {
  u8 bytes[512];
};

struct Thread : RunEntry {
  u64 stack_pointer = 0;  ///< while it does not run
  u64 stack_top = 0;
  ThreadState state = ThreadState::New;
  u32 number = 0;  ///< thread id; that of a process's first thread is the process id
  char name[16] = {};
  u64 started = 0, run_nanoseconds = 0;
  u64 user_ticks = 0, system_ticks = 0;  ///< ticks that found it running, there or in the kernel
  i32 nice = 0;                          ///< -20..19: how long its turns are
  u32 slice_ticks = 0;                   ///< left of its turn
  u32 cpu = 0;                           ///< where it runs, or ran last
  u64 affinity = ~u64{0};                ///< bit n: it may run on CPU n
  u32 kernel_depth = 1;                  ///< while it does not run: its ways into the kernel (PerCpu::kernel_depth)
  u32 preemption_off = 0;                ///< > 0: it gives the CPU away only by its own will
  struct Sleep : Timer {
    Thread* thread = nullptr;
  } sleep;

  Process* process = nullptr;  ///< null: a thread of the kernel
  u64 fs_base = 0;             ///< of the program
  FloatingPoint* floating_point = nullptr;
  u64 clear_child_tid = 0;  ///< set_tid_address(2)
  u64 signal_mask = 0, pending_signals = 0;
  u64 saved_mask = 0;  ///< of before a call that changes the mask while it waits (rt_sigsuspend)
  bool saved_mask_valid = false;
  u64 restart_deadline = 0;  ///< of an interrupted wait: when it begins again, it ends at the same moment
  bool ending = false;       ///< its process ends: it goes no further than the return to ring 3
  vitrine::abi::SignalStack signal_stack;
};

}  // namespace pulse
