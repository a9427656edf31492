// Signals: who gets them, when they are delivered, and what that does.
#pragma once

#include "abi/linux_signal.hpp"
#include "kernel/arch/x86_64/frame.hpp"
#include "kernel/core/process.hpp"

namespace pulse {

namespace signal = vitrine::abi::signal;

/// Bit of a signal in a mask.
[[nodiscard]] constexpr u64 signal_bit(u32 number) { return u64{1} << (number - 1); }
/// What can't be blocked, caught or ignored.
inline constexpr u64 unblockable_signals = signal_bit(signal::kill) | signal_bit(signal::stop);

/// Makes it pending and wakes whoever should take it. Callable from bottom halves.
void send_signal(Process& process, u32 number, const SignalCause& cause = {});
void send_thread_signal(Thread& thread, u32 number, const SignalCause& cause = {});
/// To every process of the group; false if it has none.
bool send_group_signal(u32 group, u32 number, const SignalCause& cause = {});
/// If the thread runs on another CPU, that goes through the kernel soon, where it looks for signals.
void look_for_signals(Thread& thread);
/// The running program did something that it may not: `number` at once, blocked or not.
void force_signal(u32 number, const SignalCause& cause = {});
/// What a process's parent hears of it with SIGCHLD.
[[nodiscard]] SignalCause cause_of_child(const Process& child);

/// For siginfo_t.
[[nodiscard]] vitrine::abi::SignalInformation information_of(const Process& process, u32 number);
/// Those of `mask` that wait for the thread or its process, blocked or not.
[[nodiscard]] inline u64 pending_of(const Thread& thread, u64 mask) {
  return (thread.pending_signals | thread.process->pending_signals) & mask;
}
/// Signals that the thread would take now.
[[nodiscard]] inline u64 deliverable_signals(const Thread& thread) {
  return thread.process != nullptr ? pending_of(thread, ~thread.signal_mask) : 0;
}
/// The thread, a program's, must go through deliver_signals() before it goes on in ring 3.
[[nodiscard]] inline bool has_signal_work(const Thread& thread) {
  return pending_of(thread, ~thread.signal_mask) != 0 || (thread.process->stopped && !thread.ending);
}
/// Takes the lowest of them away; 0: there is none.
u32 take_pending(Thread& thread, u64 mask);

/// At the return to ring 3: takes all signals, and stays while the process is stopped. With several handlers, the one
/// whose frame was made last runs first, and returns into the one before. `frame` of a system call that was interrupted
/// is set up to be repeated or to tell of it.
void deliver_signals(Frame& frame);
/// The system call was interrupted, and deliver_signals() says what becomes of it.
[[nodiscard]] inline bool was_interrupted(const Frame& frame) {
  const auto result = -static_cast<i64>(frame.rax);
  return result == static_cast<i64>(Errno::RestartAlways) || result == static_cast<i64>(Errno::RestartNoHandler);
}

}  // namespace pulse
