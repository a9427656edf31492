#include "kernel/core/signals.hpp"

#include <bit>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/arch/x86_64/processors.hpp"
#include "kernel/arch/x86_64/signal_frame.hpp"
#include "kernel/core/scheduler.hpp"

namespace pulse {

namespace {

using vitrine::abi::default_handler;
using vitrine::abi::ignore_handler;
namespace signal_flag = vitrine::abi::signal_flag;

enum class DefaultAction : u8 { End, Ignore, Stop, Resume };

DefaultAction default_action(u32 number) {
  switch (number) {
    case signal::child:
    case signal::urgent:
    case signal::window_change:
      return DefaultAction::Ignore;
    case signal::resume:
      return DefaultAction::Resume;
    case signal::stop:
    case signal::terminal_stop:
    case signal::terminal_input:
    case signal::terminal_output:
      return DefaultAction::Stop;
    default:
      return DefaultAction::End;
  }
}

constexpr u64 stop_signals = signal_bit(signal::stop) | signal_bit(signal::terminal_stop) |
                             signal_bit(signal::terminal_input) | signal_bit(signal::terminal_output);

bool is_ignored(const Process& process, u32 number) {
  constexpr u32 first_process = 1;
  const u64 handler = process.actions->of[number].handler;
  // Nobody ends the first process by a signal that it has not asked for (kill(2)); what it does to itself,
  // force_signal() takes care of.
  if (process.id == first_process && handler == default_handler) return true;
  return handler == ignore_handler || (handler == default_handler && default_action(number) == DefaultAction::Ignore);
}

void wake_for_signal(Process& process) {
  for (Thread* thread : process.threads) {
    if (deliverable_signals(*thread) == 0) continue;
    wake(*thread);
    look_for_signals(*thread);
    return;
  }
}

void tell_parent(Process& process) {
  Process* const parent = process.parent;
  if (parent == nullptr) return;
  if ((parent->actions->of[signal::child].flags & signal_flag::no_child_stop) == 0) {
    send_signal(*parent, signal::child, cause_of_child(process));
  }
  parent->child_changed.wake(ready::all);
}

void resume(Process& process) {
  process.pending_signals &= ~stop_signals;
  if (!process.stopped) return;
  process.stopped = false;
  process.resume_reported = false;
  for (Thread* thread : process.threads) wake(*thread);
  tell_parent(process);
}

void stop(Process& process, u32 number) {
  const InterruptsOff off;
  process.stopped = true;
  process.stop_reported = false;
  process.exit_status = static_cast<i32>(number << 8 | 0x7F);
  tell_parent(process);
  for (Thread* thread : process.threads) look_for_signals(*thread);
}

/// Blocks the running thread until somebody resumes its process, or ends it.
void wait_while_stopped(const Process& process) {
  const InterruptsOff off;
  Thread& thread = current_thread();
  while (process.stopped && !thread.ending) {
    thread.state = ThreadState::Blocked;
    schedule();
  }
}

/// The system call that ended with one of the kernel's own errors: begins again, or says that it was interrupted.
void finish_interrupted_call(Frame& frame, const SignalAction* action) {
  if (frame.vector != Frame::syscall_vector) return;
  const auto result = -static_cast<i64>(frame.rax);
  const bool always = result == static_cast<i64>(Errno::RestartAlways);
  if (!always && result != static_cast<i64>(Errno::RestartNoHandler)) return;
  const bool again = action == nullptr || (always && (action->flags & signal_flag::restart) != 0);
  if (again) {
    frame.rax = frame.error;  // the call's number
    frame.rip -= 2;           // SYSCALL and INT 0x80 are two bytes long
  } else {
    frame.rax = static_cast<u64>(-static_cast<i64>(Errno::Interrupted));
  }
  frame.vector = 0;  // once only
}

void run_handler(Frame& frame, Thread& thread, Process& process, u32 number) {
  SignalAction& action = process.actions->of[number];
  finish_interrupted_call(frame, &action);
  thread.restart_deadline = 0;
  if (!push_signal_frame(frame, thread, action, information_of(process, number))) {
    exit_process(killed_by(signal::segmentation));
  }
  thread.signal_mask |= action.mask;
  if ((action.flags & signal_flag::no_defer) == 0) thread.signal_mask |= signal_bit(number);
  thread.signal_mask &= ~unblockable_signals;
  if ((action.flags & signal_flag::reset_handler) != 0) action.handler = default_handler;
}

}  // namespace

vitrine::abi::SignalInformation information_of(const Process& process, u32 number) {
  const SignalCause& cause = process.causes[number];
  vitrine::abi::SignalInformation information{.signal = static_cast<i32>(number), .code = cause.code};
  if (cause.process != 0 || cause.code <= 0) {
    information.sender = {static_cast<i32>(cause.process), static_cast<i32>(cause.user), static_cast<i32>(cause.value)};
  } else {
    information.address = cause.value;
  }
  return information;
}

u32 take_pending(Thread& thread, u64 mask) {
  const InterruptsOff off;
  const u64 now = pending_of(thread, mask);
  if (now == 0) return 0;
  const auto number = static_cast<u32>(std::countr_zero(now)) + 1;
  u64& place =
      (thread.pending_signals & signal_bit(number)) != 0 ? thread.pending_signals : thread.process->pending_signals;
  place &= ~signal_bit(number);
  return number;
}

SignalCause cause_of_child(const Process& child) {
  namespace code = vitrine::abi::signal_code;
  if (child.stopped) return {code::child_stopped, child.id, static_cast<u64>(child.exit_status) >> 8};
  if (!child.ended) return {code::child_resumed, child.id, signal::resume};
  const auto signal_number = static_cast<u64>(child.exit_status) & 0x7F;
  if (signal_number != 0) return {code::child_killed, child.id, signal_number};
  return {code::child_exited, child.id, static_cast<u64>(child.exit_status) >> 8 & 0xFF};
}

void send_signal(Process& process, u32 number, const SignalCause& cause) {
  const InterruptsOff off;
  if (process.ended) return;
  if (number == signal::resume || number == signal::kill) resume(process);
  if ((signal_bit(number) & stop_signals) != 0) process.pending_signals &= ~signal_bit(signal::resume);
  bool blocked_somewhere = false;
  for (const Thread* thread : process.threads) blocked_somewhere |= (thread->signal_mask & signal_bit(number)) != 0;
  if (is_ignored(process, number) && !blocked_somewhere) return;
  if ((process.pending_signals & signal_bit(number)) == 0) process.causes[number] = cause;
  process.pending_signals |= signal_bit(number);
  process.signal_arrived.wake(ready::in);
  wake_for_signal(process);
}

void send_thread_signal(Thread& thread, u32 number, const SignalCause& cause) {
  const InterruptsOff off;
  if (thread.process == nullptr) return;
  if (number == signal::resume || number == signal::kill) resume(*thread.process);
  if (is_ignored(*thread.process, number) && (thread.signal_mask & signal_bit(number)) == 0) return;
  if ((thread.pending_signals & signal_bit(number)) == 0) thread.process->causes[number] = cause;
  thread.pending_signals |= signal_bit(number);
  thread.process->signal_arrived.wake(ready::in);
  if (deliverable_signals(thread) == 0) return;
  wake(thread);
  look_for_signals(thread);
}

void look_for_signals(Thread& thread) {
  PerCpu& cpu = cpu_at(thread.cpu);
  if (thread.state == ThreadState::Running && &cpu != &this_cpu()) interrupt_cpu(cpu);
}

bool send_group_signal(u32 group, u32 number, const SignalCause& cause) {
  bool found = false;
  for (Process* process : all_processes()) {
    if (process->group != group || process->ended) continue;
    found = true;
    if (number != 0) send_signal(*process, number, cause);
  }
  return found;
}

void force_signal(u32 number, const SignalCause& cause) {
  Thread& thread = current_thread();
  Process& process = *thread.process;
  const bool refused = (thread.signal_mask & signal_bit(number)) != 0 || is_ignored(process, number);
  if (refused) {
    process.actions->of[number] = SignalAction{};
    thread.signal_mask &= ~signal_bit(number);
  }
  process.causes[number] = cause;
  thread.pending_signals |= signal_bit(number);
}

void deliver_signals(Frame& frame) {
  Thread& thread = current_thread();
  Process& process = *thread.process;
  for (;;) {
    wait_while_stopped(process);
    const u32 number = take_pending(thread, ~thread.signal_mask);
    if (number == 0) break;
    const SignalAction& action = process.actions->of[number];
    if (action.handler == ignore_handler) continue;
    if (action.handler != default_handler) {
      run_handler(frame, thread, process, number);
      continue;
    }
    switch (default_action(number)) {
      case DefaultAction::End:
        exit_process(killed_by(number));
      case DefaultAction::Stop:
        stop(process, number);
        break;
      case DefaultAction::Ignore:
      case DefaultAction::Resume:
        break;
    }
  }
  finish_interrupted_call(frame, nullptr);
  // No handler's frame took it along: the call is over, or begins again with the mask that it found.
  if (thread.saved_mask_valid) thread.signal_mask = thread.saved_mask;
  thread.saved_mask_valid = false;
}

bool wait_is_interrupted() { return deliverable_signals(current_thread()) != 0; }

}  // namespace pulse
