// Limits of what processes may use, and how much they have used.
#include "kernel/core/user_memory.hpp"
#include "kernel/syscalls/call.hpp"

namespace pulse {

namespace {

/// What the address space has to know of them. Others are looked up where they count.
void take_effect(Process& process) {
  if (!process.space) return;
  process.space->most_bytes = process.limits.now(Limited::Space);
  process.space->most_stack = process.limits.now(Limited::Stack);
}

/// prlimit(2): its own, or another process's of the same user.
CallResult exchange_limits(Call& call, Process* process, u64 which, u64 wanted_at, u64 before_at) {
  if (which >= Limits::count) return fail(Errno::Invalid);
  Limits::Limit wanted;
  if (wanted_at != 0) {
    const auto given = read_user<Limits::Limit>(wanted_at);
    if (!given) return fail(given.error());
    wanted = *given;
  }
  if (process == nullptr) return fail(Errno::NoProcess);
  const Credentials& who = call.process().credentials;
  const Credentials& target = process->credentials;
  const bool is_same =
      target.user.real == who.user.real && target.user.effective == who.user.real && target.user.saved == who.user.real;
  if (process != &call.process() && !who.is_root() && !is_same) return fail(Errno::PermissionDenied);
  const Limits::Limit before = process->limits.of[which];
  if (wanted_at != 0) {
    if (const auto set = process->limits.set(which, wanted, who.is_root()); !set) return fail(set.error());
    take_effect(*process);
  }
  return before_at != 0 ? done(write_user(before_at, before)) : CallResult(0);
}

CallResult sys_prlimit64(Call& call) {
  Process* const process = static_cast<u32>(call.a) == 0 ? &call.process() : find_process(static_cast<u32>(call.a));
  return exchange_limits(call, process, call.b, call.c, call.d);
}
CallResult sys_getrlimit(Call& call) {
  if (call.b == 0) return fail(Errno::BadAddress);
  return exchange_limits(call, &call.process(), call.a, 0, call.b);
}
CallResult sys_setrlimit(Call& call) {
  if (call.b == 0) return fail(Errno::BadAddress);
  return exchange_limits(call, &call.process(), call.a, call.b, 0);
}

constexpr CallEntry entries[] = {
    {97, "getrlimit", sys_getrlimit},
    {160, "setrlimit", sys_setrlimit},
    {302, "prlimit64", sys_prlimit64},
};

}  // namespace

std::span<const CallEntry> limit_calls() { return entries; }

}  // namespace pulse
