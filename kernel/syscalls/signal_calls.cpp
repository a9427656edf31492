#include "kernel/arch/x86_64/signal_frame.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/core/time.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/syscalls/call.hpp"
#include "kernel/syscalls/time_values.hpp"

namespace pulse {

namespace {

constexpr u64 mask_bytes = sizeof(u64);

CallResult sys_rt_sigaction(Call& call) {
  const bool sound = call.a >= 1 && call.a <= signal::most && call.d == mask_bytes;
  if (!sound) return fail(Errno::Invalid);
  const auto number = static_cast<u32>(call.a);
  SignalAction& action = call.process().actions->of[number];
  const SignalAction before = action;
  if (call.b != 0) {
    const auto wanted = read_user<SignalAction>(call.b);
    if (!wanted) return fail(wanted.error());
    if ((signal_bit(number) & unblockable_signals) != 0) return fail(Errno::Invalid);
    action = *wanted;
    action.mask &= ~unblockable_signals;
    if (action.handler == vitrine::abi::ignore_handler) call.process().pending_signals &= ~signal_bit(number);
  }
  if (call.c != 0) return done(write_user(call.c, before));
  return 0;
}

CallResult sys_rt_sigprocmask(Call& call) {
  enum How : u64 { block = 0, unblock = 1, set = 2 };
  if (call.d != mask_bytes) return fail(Errno::Invalid);
  Thread& thread = current_thread();
  const u64 before = thread.signal_mask;
  if (call.b != 0) {
    const auto mask = read_user<u64>(call.b);
    if (!mask) return fail(mask.error());
    switch (call.a) {
      case block:
        thread.signal_mask |= *mask;
        break;
      case unblock:
        thread.signal_mask &= ~*mask;
        break;
      case set:
        thread.signal_mask = *mask;
        break;
      default:
        return fail(Errno::Invalid);
    }
    thread.signal_mask &= ~unblockable_signals;
  }
  if (call.c != 0) return done(write_user(call.c, before));
  return 0;
}

CallResult sys_rt_sigpending(Call& call) {
  const Thread& thread = current_thread();
  return done(write_user(call.a, (thread.pending_signals | call.process().pending_signals) & thread.signal_mask));
}

CallResult sys_rt_sigreturn(Call& call) {
  if (!pop_signal_frame(call.frame, current_thread())) exit_process(killed_by(signal::segmentation));
  return 0;
}

CallResult sys_rt_sigsuspend(Call& call) {
  if (call.b != mask_bytes) return fail(Errno::Invalid);
  const auto mask = read_user<u64>(call.a);
  if (!mask) return fail(mask.error());
  Thread& thread = current_thread();
  thread.saved_mask = thread.signal_mask;
  thread.saved_mask_valid = true;
  thread.signal_mask = *mask & ~unblockable_signals;
  WaitQueue nobody;
  (void)wait_until(nobody, [] { return false; });
  return fail(Errno::RestartNoHandler);
}

/// rt_sigtimedwait(2): takes a signal of the set as soon as there is one.
CallResult sys_rt_sigtimedwait(Call& call) {
  if (call.d != mask_bytes) return fail(Errno::Invalid);
  const auto wanted = read_user<u64>(call.a);
  if (!wanted) return fail(wanted.error());
  u64 deadline = TimerQueue::never;
  if (call.c != 0) {
    const auto time = read_time(call.c);
    if (!time) return fail(time.error());
    deadline = nanoseconds_since_boot() + *time;
  }
  const u64 set = *wanted & ~unblockable_signals;
  Thread& thread = current_thread();
  const auto waited = wait_until(call.process().signal_arrived, [&] { return pending_of(thread, set) != 0; }, deadline);
  const u32 number = take_pending(thread, set);
  if (number == 0) return fail(waited == WaitResult::Interrupted ? Errno::Interrupted : Errno::TryAgain);
  if (call.b != 0) {
    if (const auto told = write_user(call.b, information_of(call.process(), number)); !told) return fail(told.error());
  }
  return number;
}

CallResult sys_pause(Call&) {
  WaitQueue nobody;
  (void)wait_until(nobody, [] { return false; });
  return fail(Errno::RestartNoHandler);
}

SignalCause cause_of(const Call& call, i32 code) {
  return {code, call.process().id, 0, call.process().credentials.user.real};
}

bool may_send(const Process& sender, const Process& target, u32 number) {
  return may_signal(sender.credentials, target.credentials) ||
         (number == signal::resume && sender.session == target.session);
}

/// kill(2) with a group. Those that may not get it don't; it is an error only if nobody may.
CallResult signal_group(const Call& call, u32 group, u32 number, const SignalCause& cause) {
  bool found = false;
  bool sent = false;
  for (Process* process : all_processes()) {
    if (process->group != group || process->ended) continue;
    found = true;
    if (!may_send(call.process(), *process, number)) continue;
    sent = true;
    if (number != 0) send_signal(*process, number, cause);
  }
  return sent ? CallResult(0) : fail(found ? Errno::PermissionDenied : Errno::NoProcess);
}

CallResult sys_kill(Call& call) {
  const SignalCause cause = cause_of(call, vitrine::abi::signal_code::by_kill);
  const auto target = static_cast<i32>(call.a);
  const auto number = static_cast<u32>(call.b);
  if (number > signal::most) return fail(Errno::Invalid);
  if (target > 0) {
    Process* const process = find_process(static_cast<u32>(target));
    if (process == nullptr) return fail(Errno::NoProcess);
    if (!may_send(call.process(), *process, number)) return fail(Errno::PermissionDenied);
    if (number != 0) send_signal(*process, number, cause);
    return 0;
  }
  if (target == -1) {
    constexpr u32 first = 1;
    bool any = false;
    for (Process* process : all_processes()) {
      if (process->id == first || process == &call.process()) continue;
      any = true;
      if (number != 0 && may_send(call.process(), *process, number)) send_signal(*process, number, cause);
    }
    return any ? CallResult(0) : fail(Errno::NoProcess);
  }
  const u32 group = target == 0 ? call.process().group : static_cast<u32>(-target);
  return signal_group(call, group, number, cause);
}

/// `process_id` 0: whatever process the thread is of.
CallResult signal_thread(const Call& call, u64 process_id, u64 thread_number, u64 number) {
  const bool sound = number <= signal::most && static_cast<i32>(thread_number) > 0;
  if (!sound) return fail(Errno::Invalid);
  Thread* const thread = find_thread(static_cast<u32>(thread_number));
  if (thread == nullptr || (process_id != 0 && thread->process->id != process_id)) return fail(Errno::NoProcess);
  if (!may_send(call.process(), *thread->process, static_cast<u32>(number))) return fail(Errno::PermissionDenied);
  if (number != 0) {
    send_thread_signal(*thread, static_cast<u32>(number), cause_of(call, vitrine::abi::signal_code::by_tkill));
  }
  return 0;
}
CallResult sys_tkill(Call& call) { return signal_thread(call, 0, call.a, call.b); }
CallResult sys_tgkill(Call& call) {
  if (static_cast<i32>(call.a) <= 0) return fail(Errno::Invalid);
  return signal_thread(call, call.a, call.b, call.c);
}

CallResult sys_sigaltstack(Call& call) {
  namespace flag = vitrine::abi::signal_stack_flag;
  constexpr u64 least = 2048;
  Thread& thread = current_thread();
  vitrine::abi::SignalStack before = thread.signal_stack;
  const bool in_use = is_on_signal_stack(thread, call.frame.rsp);
  if (in_use) before.flags = flag::in_use;
  if (call.a != 0) {
    const auto wanted = read_user<vitrine::abi::SignalStack>(call.a);
    if (!wanted) return fail(wanted.error());
    const u32 mode = static_cast<u32>(wanted->flags) & ~flag::disarms_itself;
    if (in_use) return fail(Errno::PermissionDenied);
    if (mode > flag::disabled) return fail(Errno::Invalid);
    if (mode == flag::disabled) {
      thread.signal_stack = {};
    } else if (wanted->size < least) {
      return fail(Errno::NoMemory);
    } else {
      thread.signal_stack = *wanted;
      thread.signal_stack.flags = 0;
    }
  }
  if (call.b != 0) return done(write_user(call.b, before));
  return 0;
}

constexpr CallEntry entries[] = {
    {13, "rt_sigaction", sys_rt_sigaction},
    {14, "rt_sigprocmask", sys_rt_sigprocmask},
    {15, "rt_sigreturn", sys_rt_sigreturn},
    {34, "pause", sys_pause},
    {62, "kill", sys_kill},
    {127, "rt_sigpending", sys_rt_sigpending},
    {128, "rt_sigtimedwait", sys_rt_sigtimedwait},
    {130, "rt_sigsuspend", sys_rt_sigsuspend},
    {131, "sigaltstack", sys_sigaltstack},
    {200, "tkill", sys_tkill},
    {234, "tgkill", sys_tgkill},
};

}  // namespace

std::span<const CallEntry> signal_calls() { return entries; }

}  // namespace pulse
