#include "kernel/core/tick.hpp"

#include <algorithm>
#include <utility>

#include "kernel/arch/x86_64/exceptions.hpp"
#include "kernel/arch/x86_64/frame.hpp"
#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/kernel_lock.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/drivers/local_apic.hpp"
#include "kernel/drivers/pit8254.hpp"

namespace pulse {

namespace {

constexpr u32 least_hz = 19, most_hz = 10'000;

volatile u64 tick_count = 0;
u64 tick_nanoseconds = 0;
u32 tick_hertz = 0;
Idle idle_mode = Idle::Ticks;
TickSource tick_source = TickSource::Pit;
u64 time_of_last_tick = 0;
u64 local_counts_per_second = 0;
u64 boot_wall = 0;

/// Sampling: what the tick finds running had all of it.
void account(const Frame& frame) {
  PerCpu& cpu = this_cpu();
  Thread& thread = current_thread();
  if (thread.priority == RunEntry::idle_priority) {
    ++cpu.idle_ticks;
  } else if (frame.from_user()) {
    ++cpu.user_ticks;
    ++thread.user_ticks;
  } else {
    ++cpu.system_ticks;
    ++thread.system_ticks;
  }
}

/// setrlimit(2): SIGXCPU every second from the limit on, SIGKILL at the second one.
void watch_cpu_limit() {
  Process& process = current_process();
  const Limits::Limit& limit = process.limits.of[static_cast<u8>(Limited::Cpu)];
  if (limit.now == Limits::none && limit.most == Limits::none) return;
  const u64 seconds = cpu_time_of(process) / 1'000'000'000;
  if (limit.most != Limits::none && seconds >= std::max<u64>(limit.most, 1)) {
    send_signal(process, signal::kill);
  } else if (seconds >= std::max<u64>(limit.now, 1) && seconds > process.cpu_seconds_told) {
    process.cpu_seconds_told = seconds;
    send_signal(process, signal::cpu_limit);
  }
}

/// The first CPU's ticks are the clock of those whom a late time is soon enough.
void keep_time(u64 now) {
  if (this_cpu().number != 0) return;
  tick_count = tick_count + 1;
  time_of_last_tick = now;
}

void tick(Frame& frame) {
  const u64 now = nanoseconds_since_boot();
  keep_time(now);
  tell_of_nmi();
  account(frame);
  if (frame.from_user()) watch_cpu_limit();
  scheduler_tick(now);
}

InterruptHandler tick_handler{.name = "timer", .function = [](InterruptHandler&, Frame& frame) {
                                tick(frame);
                                return HandlerResult::Handled;
                              }};

void start_source_once(u64 nanoseconds) {
  if (tick_source == TickSource::Pit) return start_pit_once(nanoseconds);
  constexpr u64 longest = 1'000'000'000;
  const u64 count = std::min(nanoseconds, longest) * local_counts_per_second / 1'000'000'000 + 1;
  LocalApic::start_timer_once(static_cast<u32>(std::min<u64>(count, ~u32{0})),
                              ticks_are_polled ? LocalApic::Telling::Nothing : LocalApic::Telling::Interrupt);
}

void start_source() {
  if (ticks_are_polled) return start_source_once(tick_nanoseconds);
  if (tick_source == TickSource::Pit) {
    (void)start_pit(tick_hertz);
  } else {
    LocalApic::start_timer(local_counts_per_second / tick_hertz);
  }
}

bool source_ran_out() { return tick_source == TickSource::Pit ? pit_ran_out() : LocalApic::timer_ran_out(); }

}  // namespace

bool ticks_are_polled = false;

u64 cpu_time_of(const Process& process) {
  u64 time = process.run_nanoseconds;
  for (const Thread* thread : process.threads) time += cpu_time_of(*thread);
  return time;
}

u64 ticks() { return tick_count; }
u64 nanoseconds_per_tick() { return tick_nanoseconds; }

u64 nanoseconds_at_last_tick() { return time_of_last_tick; }

u64 boot_wall_nanoseconds() { return boot_wall; }
void set_boot_wall_seconds(u64 seconds_since_1970) { boot_wall = seconds_since_1970 * 1'000'000'000; }
void set_boot_wall_nanoseconds(u64 nanoseconds_since_1970) { boot_wall = nanoseconds_since_1970; }
u64 wall_seconds() { return (boot_wall + nanoseconds_since_boot()) / 1'000'000'000; }

namespace {
/// A tick that this CPU owes, and slept through.
void idle_tick() {
  const u64 now = nanoseconds_since_boot();
  keep_time(now);
  ++this_cpu().idle_ticks;
  scheduler_tick(now);
}

/// IF is on for a moment at a time.
void wait_and_look(const PerCpu& cpu) {
  while (!cpu.reschedule && cpu.ready.empty() && !source_ran_out()) wait_for_event();
}
}  // namespace

void wait_idle() {
  PerCpu& cpu = this_cpu();
  const u64 begin = nanoseconds_since_boot();
  // Timers are the first CPU's; the others are woken when there is something for them.
  const u64 due = cpu.number == 0 ? timers().next_due() : TimerQueue::never;
  const u64 idle = due > begin ? due - begin : 0;
  const bool long_sleep = idle_mode == Idle::Tickless && idle >= 2 * tick_nanoseconds;
  if (long_sleep) start_source_once(idle);
  cpu.sleeps_long = long_sleep;
  leave_kernel();
  // Handlers that were left to this CPU ran just now, and may have woken somebody.
  if (ticks_are_polled) {
    wait_and_look(cpu);
  } else if (!cpu.reschedule && cpu.ready.empty()) {
    wait_for_interrupt();
  }
  enter_kernel_politely();
  if (ticks_are_polled && source_ran_out()) {
    start_source();
    idle_tick();
  }
  if (std::exchange(cpu.owes_tick, false)) idle_tick();
  cpu.sleeps_long = false;
  if (!long_sleep) return;
  start_source();
  // No tick saw this time pass.
  const u64 now = nanoseconds_since_boot();
  cpu.idle_ticks += (now - begin) / tick_nanoseconds;
  if (cpu.number == 0) time_of_last_tick = now;
}

void start_tick_here() { start_source(); }

void local_tick(Frame& frame) { tick(frame); }

void look_at_timer(Frame& frame) {
  if (!source_ran_out()) return;
  start_source();
  tick(frame);
}

void wait_for_event() {
  if (!ticks_are_polled) return wait_for_interrupt();
  constexpr int moments = 64;  // from one look at a slow port to the next
  interrupts_on();
  for (int i = 0; i < moments; ++i) asm volatile("pause");
  interrupts_off();
}

void start_tick(u32 hz, Idle idle, TickSource source, TickService service) {
  ticks_are_polled = service == TickService::Polled;
  idle_mode = ticks_are_polled ? Idle::Ticks : idle;
  hz = std::clamp(hz, least_hz, most_hz);
  tick_hertz = hz;
  tick_source = source;
  tick_nanoseconds = 1'000'000'000 / hz;
  if (source == TickSource::LocalApic) {
    local_counts_per_second = LocalApic::measure_timer();
    start_source();
  } else if (ticks_are_polled) {
    start_source();
  } else {
    tick_nanoseconds = start_pit(hz);
    kernel().interrupts.add(0, tick_handler);
  }
  log_info("timer: {} ticks a second by the {}{}", hz, source == TickSource::Pit ? "PIT" : "local APIC",
           ticks_are_polled ? ", polled" : "");
}

}  // namespace pulse
