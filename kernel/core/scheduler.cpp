#include "kernel/core/scheduler.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "abi/annotation.h"
#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/descriptors.hpp"
#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/arch/x86_64/processors.hpp"
#include "kernel/core/kernel_lock.hpp"
#include "kernel/core/panic.hpp"
#include "kernel/core/process_switch.hpp"
#include "kernel/core/tick.hpp"
#include "kernel/core/time.hpp"
#include "kernel/memory/kernel_memory.hpp"

extern "C" {
void switch_stacks(pulse::u64* save, pulse::u64 next);
extern const char thread_start[];
void thread_started();
[[noreturn]] void thread_returned();
}

namespace pulse {

namespace {

/// A thread that sleeps before its turn is used up wakes in front of those that don't.
constexpr u8 wake_boost = 1;
constexpr std::size_t start_slots = 8, argument_slot = 4;
constexpr u32 first_thread_number = 1;

SchedulingMode mode = SchedulingMode::Preemptive;
TimerQueue timer_queue;
Thread boot_idle_thread;
u32 next_number = first_thread_number;
u64 loads[3];
u64 next_load_sample = 0;

void set_name(Thread& thread, std::string_view name) {
  const std::size_t length = std::min(name.size(), sizeof thread.name - 1);
  std::memcpy(thread.name, name.data(), length);
  thread.name[length] = 0;
}

void wake_sleeper(Timer& timer, u64) { wake(*static_cast<Thread::Sleep&>(timer).thread); }

/// The length of a turn: 10 ticks, up to 40 for nice -20, down to 1 for 19. Everybody gets one, so nobody starves.
u32 turn_ticks(const Thread& thread) {
  constexpr i32 usual = 10;
  const i32 ticks = thread.nice < 0 ? usual - thread.nice * 3 / 2 : usual - thread.nice / 2;
  return static_cast<u32>(std::max(ticks, 1));
}

bool is_idle(const PerCpu& cpu) { return cpu.current == cpu.idle; }
bool may_run_on(const Thread& thread, const PerCpu& cpu) { return bit(thread.affinity, cpu.number); }

/// Where it ran last if nobody else runs there, else an idle CPU, else the one with the fewest threads.
PerCpu& choose_cpu(const Thread& thread) {
  PerCpu& last = cpu_at(thread.cpu);
  const bool last_is_allowed = may_run_on(thread, last);
  if (cpu_count() == 1 || (last_is_allowed && is_idle(last) && last.ready.empty())) return last;
  PerCpu* best = last_is_allowed ? &last : nullptr;
  for (u32 i = 0; i < cpu_count(); ++i) {
    PerCpu& cpu = cpu_at(i);
    if (!may_run_on(thread, cpu)) continue;
    if (is_idle(cpu) && cpu.ready.empty()) return cpu;
    if (best == nullptr || cpu.ready.size() < best->ready.size()) best = &cpu;
  }
  return best != nullptr ? *best : last;
}

/// Puts it into a run queue, and tells that CPU if it should take it at once.
void make_ready(Thread& thread) {
  thread.state = ThreadState::Ready;
  PerCpu& cpu = choose_cpu(thread);
  thread.cpu = cpu.number;
  cpu.ready.add_last(thread);
  if (mode == SchedulingMode::Cooperative && !is_idle(cpu)) return;
  if (thread.priority < cpu.current->priority) interrupt_cpu(cpu);
}

/// Of the CPU that has most: this one has nothing to do.
Thread* steal(PerCpu& self) {
  PerCpu* richest = nullptr;
  for (u32 i = 0; i < cpu_count(); ++i) {
    PerCpu& cpu = cpu_at(i);
    if (&cpu != &self && !cpu.ready.empty() && (richest == nullptr || cpu.ready.size() > richest->ready.size())) {
      richest = &cpu;
    }
  }
  auto* const thread = richest != nullptr ? static_cast<Thread*>(richest->ready.first()) : nullptr;
  if (thread == nullptr || !may_run_on(*thread, self)) return nullptr;
  richest->ready.remove(*thread);
  return thread;
}

/// What a switch leaves to the thread that goes on: the stack of one that has ended.
void after_switch() {
  Thread* const dead = std::exchange(this_cpu().dead, nullptr);
  if (dead != nullptr) discard_thread(*dead);
}

void switch_to(Thread& next) {
  PerCpu& cpu = this_cpu();
  Thread& before = *cpu.current;
  const u64 now = nanoseconds_since_boot();
  before.run_nanoseconds += now - before.started;
  next.started = now;
  next.state = ThreadState::Running;
  next.cpu = cpu.number;
  before.kernel_depth = cpu.kernel_depth;
  cpu.kernel_depth = next.kernel_depth;
  // A turn that was interrupted goes on; one that was used up, or given away, begins anew.
  if (next.slice_ticks == 0) next.slice_ticks = turn_ticks(next);
  cpu.current = &next;
  ++cpu.switches;
  vitrine_annotate(VITRINE_THREAD_RUNS | next.number);
  set_kernel_stack(next.stack_top);
  switch_program(before, next);
  switch_stacks(&before.stack_pointer, next.stack_pointer);
  after_switch();
}

}  // namespace

TimerQueue& timers() { return timer_queue; }

namespace {

/// From here on the CPU counts as idle: others may look at it, and give it threads.
void set_idle_thread(PerCpu& cpu, Thread& thread) {
  constexpr u32 first_idle_number = 0x0FFF'0000;  // behind all others
  char name[16];
  BufferSink text(name);
  format(text, "idle{}", cpu.number);
  set_name(thread, text.text());
  thread.number = cpu.number == 0 ? 0 : first_idle_number + cpu.number;
  thread.priority = RunEntry::idle_priority;
  thread.state = ThreadState::Running;
  thread.cpu = cpu.number;
  thread.stack_top = cpu.kernel_stack;
  cpu.current = cpu.idle = &thread;
}

void tell_of_idle_thread() {
  const Thread& thread = *this_cpu().idle;
  vitrine_thread_name(thread.number, thread.name);
  vitrine_annotate(VITRINE_THREAD_RUNS | thread.number);
}

}  // namespace

void start_scheduler(SchedulingMode wanted) {
  mode = wanted;
  set_idle_thread(this_cpu(), boot_idle_thread);
  tell_of_idle_thread();
  // The first CPU looks after all timers, and may sleep until the one that was the next.
  timer_queue.sooner = [] {
    if (cpu_at(0).sleeps_long) interrupt_cpu(cpu_at(0));
  };
}

bool make_idle_thread(PerCpu& cpu) {
  auto* const thread = new (std::nothrow) Thread;
  if (thread != nullptr) set_idle_thread(cpu, *thread);
  return thread != nullptr;
}

void start_idle_thread_here() {
  tell_of_idle_thread();
  start_tick_here();
}

void run_idle_thread() {
  // With interrupts off but for the HLT. It gives the CPU away here and nowhere else.
  const PreemptionOff alone;
  for (;;) {
    schedule();
    wait_idle();
  }
}

Thread* make_kernel_thread(std::string_view name, ThreadFunction function, void* argument, u8 priority) {
  const auto stack = allocate_kernel_stack();
  if (!stack) return nullptr;
  auto* thread = new (std::nothrow) Thread;
  if (thread == nullptr) {
    free_kernel_stack(*stack);
    return nullptr;
  }
  thread->stack_top = *stack;
  thread->priority = priority;
  set_name(*thread, name);
  thread->sleep.expired = wake_sleeper;
  thread->sleep.thread = thread;
  // As switch_stacks() leaves a stack: R15, R14, R13, R12, RBX, RBP, return address.
  auto* slots = reinterpret_cast<u64*>(*stack) - start_slots;
  const u64 frame[start_slots] = {
      0, 0, 0, reinterpret_cast<u64>(function), reinterpret_cast<u64>(argument), 0, reinterpret_cast<u64>(thread_start),
      0};
  std::memcpy(slots, frame, sizeof frame);
  thread->stack_pointer = reinterpret_cast<u64>(slots);
  return thread;
}

u32 number_thread(Thread& thread) {
  const InterruptsOff off;
  if (thread.number == 0) thread.number = next_number++;
  return thread.number;
}

void start_thread(Thread& thread) {
  const InterruptsOff off;
  number_thread(thread);
  vitrine_thread_name(thread.number, thread.name);
  vitrine_annotate(VITRINE_THREAD_WOKEN | thread.number);
  make_ready(thread);
}

void discard_thread(Thread& thread) {
  free_kernel_stack(thread.stack_top);
  delete thread.floating_point;
  delete &thread;
}

void move_start_below(Thread& thread, std::size_t bytes, void* argument) {
  auto* from = reinterpret_cast<u64*>(thread.stack_pointer);
  auto* to = from - bytes / sizeof(u64);
  std::memmove(to, from, start_slots * sizeof(u64));
  to[argument_slot] = reinterpret_cast<u64>(argument);
  thread.stack_pointer = reinterpret_cast<u64>(to);
}

void rename_thread(Thread& thread, std::string_view name) {
  set_name(thread, name);
  if (thread.number != 0) vitrine_thread_name(thread.number, thread.name);
}

void end_thread() {
  interrupts_off();
  Thread& thread = current_thread();
  timer_queue.remove(thread.sleep);
  thread.state = ThreadState::Dead;
  vitrine_annotate(VITRINE_THREAD_EXITED | thread.number);
  this_cpu().dead = &thread;
  schedule();
  panic("a thread that ended was chosen again");
}

void schedule() {
  PerCpu& cpu = this_cpu();
  Thread& thread = *cpu.current;
  cpu.reschedule = false;
  if (thread.state == ThreadState::Running && &thread != cpu.idle) {
    if (may_run_on(thread, cpu)) {
      thread.state = ThreadState::Ready;
      cpu.ready.add_last(thread);
    } else {
      make_ready(thread);
    }
  }
  if (thread.state == ThreadState::Blocked) {
    vitrine_annotate(VITRINE_THREAD_BLOCKED | thread.number);
    thread.slice_ticks = 0;
  }
  auto* next = static_cast<Thread*>(cpu.ready.first());
  if (next != nullptr) {
    cpu.ready.remove(*next);
  } else {
    next = steal(cpu);
  }
  if (next == nullptr) next = cpu.idle;
  if (next == &thread) {
    thread.state = ThreadState::Running;
    return;
  }
  switch_to(*next);
}

void set_affinity(Thread& thread, u64 cpus) {
  const InterruptsOff off;
  thread.affinity = cpus;
  PerCpu& cpu = cpu_at(thread.cpu);
  if (may_run_on(thread, cpu)) return;
  if (thread.state == ThreadState::Ready) {
    cpu.ready.remove(thread);
    make_ready(thread);
  } else if (&thread == &current_thread()) {
    schedule();
  } else if (thread.state == ThreadState::Running) {
    interrupt_cpu(cpu);
  }
}

void yield() {
  const InterruptsOff off;
  schedule();
}

void wake(Thread& thread) {
  const InterruptsOff off;
  if (thread.state != ThreadState::Blocked) return;
  vitrine_annotate(VITRINE_THREAD_WOKEN | thread.number);
  if (thread.priority == RunEntry::normal_priority) thread.priority -= wake_boost;
  make_ready(thread);
}

u64 cpu_time_of(const Thread& thread) {
  const bool runs = thread.state == ThreadState::Running;
  return thread.run_nanoseconds + (runs ? nanoseconds_since_boot() - thread.started : 0);
}

void sleep_until(u64 due) {
  const InterruptsOff off;
  Thread& thread = current_thread();
  while (nanoseconds_since_boot() < due) {
    thread.state = ThreadState::Blocked;
    timer_queue.add(thread.sleep, due);
    schedule();
    timer_queue.remove(thread.sleep);
  }
}

u32 runnable_threads() {
  u32 count = 0;
  for (u32 i = 0; i < cpu_count(); ++i) count += cpu_at(i).ready.size() + (is_idle(cpu_at(i)) ? 0 : 1);
  return count;
}
u32 newest_thread() { return next_number - 1; }
const u64 (&load_averages())[3] { return loads; }

namespace {

/// Every 5 seconds; the factors are load_unit / e^(5 s / minutes).
void average_load(u64 now) {
  constexpr u64 factors[3] = {1884, 2014, 2037};
  constexpr u64 interval = 5'000'000'000;
  if (now < next_load_sample) return;
  next_load_sample = now + interval;
  for (int i = 0; i < 3; ++i) {
    loads[i] = (loads[i] * factors[i] + runnable_threads() * load_unit * (load_unit - factors[i])) / load_unit;
  }
}

}  // namespace

void scheduler_tick(u64 now) {
  PerCpu& cpu = this_cpu();
  if (cpu.number == 0) {
    average_load(now);
    timer_queue.expire(now);
  }
  Thread& thread = *cpu.current;
  if (thread.slice_ticks > 0) --thread.slice_ticks;
  if (thread.slice_ticks > 0) return;
  if (thread.priority == RunEntry::normal_priority - wake_boost) thread.priority = RunEntry::normal_priority;
  if (mode == SchedulingMode::Preemptive && !cpu.ready.empty()) cpu.reschedule = true;
}

void preempt_if_wanted() {
  PerCpu& cpu = this_cpu();
  if (!cpu.reschedule || cpu.interrupt_depth > 0 || cpu.current->preemption_off > 0) return;
  schedule();
}

void keep_deadline(u64 deadline) { current_thread().restart_deadline = deadline; }

u64 kept_deadline_or(u64 deadline) {
  const u64 kept = std::exchange(current_thread().restart_deadline, 0);
  return kept != 0 ? kept : deadline;
}

ThreadWaiter::ThreadWaiter(Thread& waiting) : thread(&waiting) {
  woken = [](WaitEntry& self, u32) {
    Thread& sleeper = *static_cast<ThreadWaiter&>(self).thread;
    if (sleeper.state != ThreadState::Blocked) return false;
    wake(sleeper);
    return true;
  };
}

}  // namespace pulse

void thread_started() {
  pulse::after_switch();
  pulse::interrupts_on();
}

void thread_returned() { pulse::end_thread(); }
