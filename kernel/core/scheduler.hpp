// The scheduler: who runs, cooperatively or pre-empted by the tick.
//
// Cooperative: a thread keeps the CPU until it blocks or yields; one that never does hangs the system. Pre-emptive: the
// tick takes it away at the end of a turn, and a wake-up of higher priority at once. Chosen at boot.
#pragma once

#include <string_view>

#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/core/thread.hpp"
#include "kernel/core/wait_queue.hpp"

namespace pulse {

enum class SchedulingMode : u8 { Cooperative, Preemptive };

/// Makes the running code the idle thread of this CPU. Interrupts are off.
void start_scheduler(SchedulingMode mode);
/// For another CPU, before it counts: it is to have an idle thread when somebody first looks for an idle CPU. False: no
/// memory.
[[nodiscard]] bool make_idle_thread(PerCpu& cpu);
/// On that CPU: its idle thread begins, and its tick.
void start_idle_thread_here();
/// What idle threads do, for ever.
[[noreturn]] void run_idle_thread();
[[nodiscard]] inline Thread& current_thread() { return *this_cpu().current; }

using ThreadFunction = void (*)(void* argument);
/// A thread of the kernel that runs `function(argument)` and ends when that returns. Null if memory is short.
[[nodiscard]] Thread* make_kernel_thread(std::string_view name, ThreadFunction function, void* argument,
                                         u8 priority = RunEntry::normal_priority);
/// Gives a new thread its number, if it has none yet: for who has to tell it before the thread runs.
u32 number_thread(Thread& thread);
/// Makes a new thread known and ready. `function` begins on its own stack.
void start_thread(Thread& thread);
[[noreturn]] void end_thread();
/// Gives back a thread that was never started.
void discard_thread(Thread& thread);
/// For a thread that was not started: leaves `bytes` free at the top of its stack; its function gets `argument`.
void move_start_below(Thread& thread, std::size_t bytes, void* argument);
void rename_thread(Thread& thread, std::string_view name);

/// Lets another thread of the same or a higher priority run.
void yield();
/// The CPUs that it may run on (bit n: number n; at least one that is there). If it runs elsewhere, it moves.
void set_affinity(Thread& thread, u64 cpus);
/// Gives the CPU to whoever should have it. Interrupts are off. A caller that set its state to Blocked comes back after
/// wake().
void schedule();
/// A blocked thread becomes ready. No effect on others. Callable from interrupt handlers.
void wake(Thread& thread);
/// Nanoseconds that it has had a CPU.
[[nodiscard]] u64 cpu_time_of(const Thread& thread);
void sleep_until(u64 nanoseconds_since_boot);

/// How many threads run or could run, the idle one not counted.
[[nodiscard]] u32 runnable_threads();
/// The number of the newest thread.
[[nodiscard]] u32 newest_thread();
/// Runnable threads, averaged over 1, 5 and 15 minutes; in 2048ths, as Linux keeps them (sched/loadavg.c).
[[nodiscard]] const u64 (&load_averages())[3];
inline constexpr u64 load_unit = 2048;

/// All timers of the system; touched with interrupts off.
[[nodiscard]] TimerQueue& timers();
/// From the tick's handler: due timers, the running thread's turn.
void scheduler_tick(u64 now);
/// At the end of an interrupt, IF=0: another thread, if one is due and this one may be interrupted here.
void preempt_if_wanted();

/// While one lives, the running thread is not pre-empted.
class PreemptionOff {
 public:
  explicit PreemptionOff(Thread& running = current_thread()) : thread_(&running) { ++thread_->preemption_off; }
  ~PreemptionOff() { --thread_->preemption_off; }
  PreemptionOff(const PreemptionOff&) = delete;
  PreemptionOff& operator=(const PreemptionOff&) = delete;

 private:
  Thread* thread_;
};

/// A thread that stands in a wait queue.
struct ThreadWaiter : WaitEntry {
  explicit ThreadWaiter(Thread& waiting);
  Thread* thread;
};

enum class WaitResult : u8 { Ready, TimedOut, Interrupted };
/// True if a signal should end the running thread's wait. Kernel threads have none.
[[nodiscard]] bool wait_is_interrupted();

/// For a system call that waits for some time. Interrupted, it keeps its deadline and fails with RestartNoHandler; when
/// it begins again, because no handler ran, it takes that deadline instead of a new one.
void keep_deadline(u64 deadline);
[[nodiscard]] u64 kept_deadline_or(u64 deadline);

/// Blocks until `is_ready()`, a question that changes nothing, holds; `queue` is woken whenever that may be so.
/// `deadline`: nanoseconds since boot.
template <class IsReady>
WaitResult wait_until(WaitQueue& queue, IsReady is_ready, u64 deadline = TimerQueue::never);
/// The same, but signals don't end it: for what must be over before anything else goes on, such as a disk's command.
/// While the system starts, the idle thread may wait so too.
template <class IsReady>
WaitResult wait_in_any_case(WaitQueue& queue, IsReady is_ready, u64 deadline);

}  // namespace pulse

#include "kernel/core/wait_until.hpp"
