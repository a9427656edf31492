#include "kernel/core/scheduler.hpp"
#include "kernel/core/time.hpp"
#include "kernel/syscalls/call.hpp"
#include "kernel/syscalls/time_values.hpp"

namespace pulse {

namespace {

/// Of clock_gettime(2). Those up to `most_clocks` that are not here tell the time since boot.
enum Clock : u64 {
  realtime = 0,
  process_cpu_time = 2,
  thread_cpu_time = 3,
  realtime_coarse = 5,
  monotonic_coarse = 6,
  most_clocks = 12
};

u64 read_clock(u64 clock) {
  switch (clock) {
    case process_cpu_time:
      return cpu_time_of(current_process());
    case thread_cpu_time:
      return cpu_time_of(current_thread());
    case realtime:
      return nanoseconds_since_boot() + boot_wall_nanoseconds();
    case realtime_coarse:
      return nanoseconds_at_last_tick() + boot_wall_nanoseconds();
    case monotonic_coarse:
      return nanoseconds_at_last_tick();
    default:
      return nanoseconds_since_boot();
  }
}

CallResult sys_clock_gettime(Call& call) {
  if (call.a >= most_clocks) return fail(Errno::Invalid);
  return done(write_user(call.b, specification_of(read_clock(call.a))));
}
CallResult sys_clock_getres(Call& call) {
  if (call.a >= most_clocks) return fail(Errno::Invalid);
  if (call.b == 0) return 0;
  const bool is_coarse = call.a == realtime_coarse || call.a == monotonic_coarse;
  return done(write_user(call.b, specification_of(is_coarse ? nanoseconds_per_tick() : 1)));
}

CallResult sys_gettimeofday(Call& call) {
  const u64 now = read_clock(realtime);
  if (call.a == 0) return 0;
  return done(write_user(call.a, specification_of(now, TimeParts::Microseconds)));
}
CallResult sys_time(Call& call) {
  const u64 now = read_clock(realtime) / second;
  if (call.a != 0) {
    if (const auto written = write_user(call.a, now); !written) return fail(written.error());
  }
  return now;
}

/// False: a signal came first.
bool sleep_till(u64 due) {
  WaitQueue nobody;
  return wait_until(nobody, [] { return false; }, due) != WaitResult::Interrupted;
}

/// Sleeps until `due`; interrupted, it tells how much is left, and goes on until then if it begins again.
CallResult sleep_and_tell(u64 due, u64 left_at) {
  if (sleep_till(due)) return 0;
  if (left_at != 0) {
    const u64 now = nanoseconds_since_boot();
    if (const auto told = write_user(left_at, specification_of(due > now ? due - now : 0)); !told)
      return fail(told.error());
  }
  keep_deadline(due);
  return fail(Errno::RestartNoHandler);
}

CallResult sys_nanosleep(Call& call) {
  const auto time = read_time(call.a);
  if (!time) return fail(time.error());
  return sleep_and_tell(kept_deadline_or(nanoseconds_since_boot() + *time), call.b);
}

CallResult sys_clock_nanosleep(Call& call) {
  constexpr u64 absolute = 1;
  if (call.a >= most_clocks) return fail(Errno::Invalid);
  if (call.a == process_cpu_time || call.a == thread_cpu_time) return fail(Errno::NotSupported);
  const auto time = read_time(call.c);
  if (!time) return fail(time.error());
  if ((call.b & absolute) == 0) return sleep_and_tell(kept_deadline_or(nanoseconds_since_boot() + *time), call.d);
  const u64 offset = call.a == realtime ? boot_wall_nanoseconds() : 0;
  if (sleep_till(*time > offset ? *time - offset : 0)) return 0;
  return fail(Errno::RestartNoHandler);
}

constexpr CallEntry entries[] = {
    {35, "nanosleep", sys_nanosleep},
    {96, "gettimeofday", sys_gettimeofday},
    {201, "time", sys_time},
    {228, "clock_gettime", sys_clock_gettime},
    {229, "clock_getres", sys_clock_getres},
    {230, "clock_nanosleep", sys_clock_nanosleep},
};

}  // namespace

std::span<const CallEntry> time_calls() { return entries; }

}  // namespace pulse
