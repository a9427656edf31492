#include <algorithm>

#include "kernel/core/scheduler.hpp"
#include "kernel/core/time.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/syscalls/call.hpp"

namespace pulse {

namespace {

constexpr u64 second = 1'000'000'000;
constexpr u64 clock_realtime = 0, clock_realtime_coarse = 5, most_clocks = 12;

struct TimeSpecification {
  i64 seconds = 0, nanoseconds = 0;
};
TimeSpecification specification_of(u64 nanoseconds) {
  return {static_cast<i64>(nanoseconds / second), static_cast<i64>(nanoseconds % second)};
}

Result<u64> read_time(u64 address) {
  const auto time = read_user<TimeSpecification>(address);
  if (!time) return fail(time.error());
  const bool sound = time->seconds >= 0 && time->nanoseconds >= 0 && time->nanoseconds < static_cast<i64>(second);
  if (!sound) return fail(Errno::Invalid);
  constexpr i64 longest = i64{1} << 32;
  return static_cast<u64>(std::min(time->seconds, longest)) * second + static_cast<u64>(time->nanoseconds);
}

u64 read_clock(u64 clock) {
  const bool wall = clock == clock_realtime || clock == clock_realtime_coarse;
  return nanoseconds_since_boot() + (wall ? boot_wall_nanoseconds() : 0);
}

CallResult sys_clock_gettime(Call& call) {
  if (call.a >= most_clocks) return fail(Errno::Invalid);
  return done(write_user(call.b, specification_of(read_clock(call.a))));
}
CallResult sys_clock_getres(Call& call) {
  if (call.a >= most_clocks) return fail(Errno::Invalid);
  if (call.b == 0) return 0;
  return done(write_user(call.b, TimeSpecification{0, 1}));
}

CallResult sys_gettimeofday(Call& call) {
  const u64 now = read_clock(clock_realtime);
  if (call.a == 0) return 0;
  return done(
      write_user(call.a, TimeSpecification{static_cast<i64>(now / second), static_cast<i64>(now % second / 1000)}));
}
CallResult sys_time(Call& call) {
  const u64 now = read_clock(clock_realtime) / second;
  if (call.a != 0) {
    if (const auto written = write_user(call.a, now); !written) return fail(written.error());
  }
  return now;
}

/// Sleeps until `due`; interrupted, it tells how much is left.
CallResult sleep_and_tell(u64 due, u64 left_at) {
  WaitQueue nobody;
  const auto result = wait_until(nobody, [] { return false; }, due);
  if (result != WaitResult::Interrupted) return 0;
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
  const auto time = read_time(call.c);
  if (!time) return fail(time.error());
  if ((call.b & absolute) == 0) return sleep_and_tell(kept_deadline_or(nanoseconds_since_boot() + *time), call.d);
  const u64 offset = call.a == clock_realtime ? boot_wall_nanoseconds() : 0;
  return sleep_and_tell(*time > offset ? *time - offset : 0, 0);
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
