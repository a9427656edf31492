// Who runs, where and how long: sched_yield, priorities, CPUs, times used; and futex, by which threads wait for each
// other.
#include <algorithm>

#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/core/futex.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/time.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/syscalls/call.hpp"
#include "kernel/syscalls/time_values.hpp"

namespace pulse {

namespace {

CallResult sys_sched_yield(Call&) {
  yield();
  return 0;
}

/// Calls `apply(thread)` for the first threads of all processes that `which` and `who` mean. False: there are none.
template <class Apply>
bool for_each_chosen(Call& call, u64 which, u32 who, Apply apply) {
  enum Which : u64 { process = 0, group = 1, user = 2 };
  const Process& self = call.process();
  bool any = false;
  for (Process* other : all_processes()) {
    const bool chosen =
        (which == process && other->id == (who == 0 ? self.id : who)) ||
        (which == group && other->group == (who == 0 ? self.group : who)) ||
        (which == user && other->credentials.user.real == (who == 0 ? self.credentials.user.real : who));
    if (!chosen) continue;
    for (Thread* thread : other->threads) {
      apply(*thread);
      any = true;
    }
  }
  return any;
}

CallResult sys_getpriority(Call& call) {
  i32 least = 20;
  if (call.a > 2) return fail(Errno::Invalid);
  const bool any = for_each_chosen(call, call.a, static_cast<u32>(call.b),
                                   [&](const Thread& thread) { least = std::min(least, thread.nice); });
  if (!any) return fail(Errno::NoProcess);
  return static_cast<u64>(20 - least);  // the system call's own way to avoid negative results
}

CallResult sys_setpriority(Call& call) {
  if (call.a > 2) return fail(Errno::Invalid);
  const i32 nice = std::clamp(static_cast<i32>(call.c), -20, 19);
  const Credentials& who = call.process().credentials;
  CallResult result = 0;
  const bool any = for_each_chosen(call, call.a, static_cast<u32>(call.b), [&](Thread& thread) {
    const Credentials::Ids& target = thread.process->credentials.user;
    const bool is_own = who.user.effective == target.real || who.user.effective == target.effective;
    if (!who.is_root() && !is_own) {
      result = fail(Errno::PermissionDenied);
    } else if (!who.is_root() && nice < thread.nice) {
      result = fail(Errno::AccessDenied);
    } else {
      thread.nice = nice;
    }
  });
  return any ? result : fail(Errno::NoProcess);
}

u64 all_cpus_mask() { return cpu_count() == 64 ? ~u64{0} : (u64{1} << cpu_count()) - 1; }

CallResult sys_sched_getaffinity(Call& call) {
  if (call.b < sizeof(u64)) return fail(Errno::Invalid);
  const Thread* const thread = call.a == 0 ? &current_thread() : find_thread(static_cast<u32>(call.a));
  if (thread == nullptr) return fail(Errno::NoProcess);
  if (const auto result = write_user(call.c, thread->affinity & all_cpus_mask()); !result) return fail(result.error());
  return sizeof(u64);
}

CallResult sys_sched_setaffinity(Call& call) {
  Thread* const thread = call.a == 0 ? &current_thread() : find_thread(static_cast<u32>(call.a));
  if (thread == nullptr) return fail(Errno::NoProcess);
  u64 mask = 0;
  if (const auto read = copy_from_user(&mask, call.c, std::min<u64>(call.b, sizeof mask)); !read)
    return fail(read.error());
  if ((mask & all_cpus_mask()) == 0) return fail(Errno::Invalid);
  set_affinity(*thread, mask);
  return 0;
}

CallResult sys_getcpu(Call& call) {
  if (call.a != 0) {
    if (const auto told = write_user(call.a, this_cpu().number); !told) return fail(told.error());
  }
  return call.b != 0 ? done(write_user(call.b, u32{0})) : CallResult(0);
}

struct ResourceUsage {
  i64 user_seconds, user_microseconds, system_seconds, system_microseconds;
  u64 others[14];
};

CallResult sys_getrusage(Call& call) {
  ResourceUsage usage{};
  const TimeSpecification time = specification_of(cpu_time_of(call.process()), TimeParts::Microseconds);
  usage.user_seconds = time.seconds;
  usage.user_microseconds = time.parts;
  return done(write_user(call.b, usage));
}

CallResult sys_futex(Call& call) {
  constexpr u64 operation_mask = 0x7F, wait = 0, wake = 1, requeue = 3, compare_requeue = 4, wait_bits = 9,
                wake_bits = 10;
  constexpr u64 is_private = 0x80, clock_realtime = 0x100;
  AddressSpace& space = *call.process().space;
  const FutexScope scope = (call.b & is_private) != 0 ? FutexScope::OwnProcess : FutexScope::AnyProcess;
  const u64 operation = call.b & operation_mask;
  const auto word = futex_word(space, call.a, scope);
  if (!word && operation <= wake_bits) return fail(word.error());
  switch (operation) {
    case wait:
    case wait_bits: {
      u64 deadline = TimerQueue::never;
      if (call.d != 0) {
        const auto time = read_time(call.d);
        if (!time) return fail(time.error());
        deadline = *time;
        if (operation == wait) deadline += nanoseconds_since_boot();
        if ((call.b & clock_realtime) != 0) deadline -= std::min(deadline, boot_wall_nanoseconds());
      }
      const u32 bits = operation == wait_bits ? static_cast<u32>(call.f) : ~u32{0};
      return done(futex_wait(*word, call.a, static_cast<u32>(call.c), deadline, bits));
    }
    case wake:
      return futex_wake(*word, static_cast<u32>(call.c));
    case wake_bits:
      return futex_wake(*word, static_cast<u32>(call.c), static_cast<u32>(call.f));
    case compare_requeue: {
      const auto value = read_user<u32>(call.a);
      if (!value) return fail(value.error());
      if (*value != static_cast<u32>(call.f)) return fail(Errno::TryAgain);
      [[fallthrough]];
    }
    case requeue: {
      const auto to = futex_word(space, call.e, scope);
      if (!to) return fail(to.error());
      const auto moved = futex_requeue(*word, static_cast<u32>(call.c), static_cast<u32>(call.d), *to);
      if (!moved) return fail(moved.error());
      return *moved;
    }
    default:
      return fail(Errno::NotImplemented);
  }
}

constexpr CallEntry entries[] = {
    {24, "sched_yield", sys_sched_yield},
    {98, "getrusage", sys_getrusage},
    {140, "getpriority", sys_getpriority},
    {141, "setpriority", sys_setpriority},
    {202, "futex", sys_futex},
    {203, "sched_setaffinity", sys_sched_setaffinity},
    {204, "sched_getaffinity", sys_sched_getaffinity},
    {309, "getcpu", sys_getcpu},
};

}  // namespace

std::span<const CallEntry> scheduling_calls() { return entries; }

}  // namespace pulse
