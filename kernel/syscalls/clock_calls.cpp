// Setting the time of day, and the times that processes have used.
#include "kernel/core/scheduler.hpp"
#include "kernel/core/time.hpp"
#include "kernel/fs/permissions.hpp"
#include "kernel/syscalls/call.hpp"
#include "kernel/syscalls/time_values.hpp"

namespace pulse {

namespace {

constexpr u64 realtime = 0;
constexpr u64 hundredth = second / 100;

CallResult set_wall(const Result<u64>& wanted) {
  if (!wanted) return fail(wanted.error());
  if (const auto allowed = check_root(); !allowed) return fail(allowed.error());
  const u64 since_boot = nanoseconds_since_boot();
  if (*wanted < since_boot) return fail(Errno::Invalid);  // the monotonic clock would have begun before 1970
  set_boot_wall_nanoseconds(*wanted - since_boot);
  return 0;
}

CallResult sys_settimeofday(Call& call) {
  if (call.a == 0) return done(check_root());  // time zones are the C library's
  return set_wall(read_time(call.a, TimeParts::Microseconds));
}
CallResult sys_clock_settime(Call& call) {
  if (call.a != realtime) return fail(Errno::Invalid);
  return set_wall(read_time(call.b));
}

/// struct tms: hundredths of a second.
struct Times {
  u64 user, system, children_user, children_system;
};

CallResult sys_times(Call& call) {
  const Process& process = call.process();
  Times times{process.user_ticks, process.system_ticks, process.children_user_ticks, process.children_system_ticks};
  for (const Thread* thread : process.threads) {
    times.user += thread->user_ticks;
    times.system += thread->system_ticks;
  }
  for (u64* const ticks : {&times.user, &times.system, &times.children_user, &times.children_system}) {
    *ticks = *ticks * nanoseconds_per_tick() / hundredth;
  }
  if (call.a != 0) {
    if (const auto told = write_user(call.a, times); !told) return fail(told.error());
  }
  return nanoseconds_since_boot() / hundredth;
}

constexpr CallEntry entries[] = {
    {100, "times", sys_times},
    {164, "settimeofday", sys_settimeofday},
    {227, "clock_settime", sys_clock_settime},
};

}  // namespace

std::span<const CallEntry> clock_calls() { return entries; }

}  // namespace pulse
