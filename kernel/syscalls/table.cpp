#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/core/dispatch.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/kernel_lock.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/core/tick.hpp"
#include "kernel/memory/kernel_memory.hpp"
#include "kernel/syscalls/call.hpp"
#include "kernel/syscalls/call_text.hpp"

namespace pulse {

namespace {

constexpr std::size_t most_calls = 512;
const CallEntry* calls[most_calls];
bool told[most_calls];  // that it is not there: once is enough

/// Calls that make something which stays. They are refused while memory is short, so that the kernel's own new, which
/// can't fail, has what the others need.
constexpr u16 making_calls[] = {2,   9,   10,  12,  22,  32,  33,  56,  57,  58,  59,  82,  83,  85,  86,  88,
                                133, 165, 213, 233, 257, 258, 264, 282, 283, 284, 289, 290, 291, 292, 293, 316};

bool makes[most_calls];  // those, by number

CallResult refuse(Call& call) {
  const u64 number = static_cast<u32>(call.frame.error);
  if (number < most_calls && std::exchange(told[number], true)) return fail(Errno::NotImplemented);
  log(LogLevel::Notice, "{} ({}): system call {} is not there", static_cast<const char*>(current_thread().name),
      current_thread().number, number);
  return fail(Errno::NotImplemented);
}
constexpr CallEntry missing{.name = "?", .function = refuse};

const CallEntry& entry_of(u64 rax) {
  const u64 number = static_cast<u32>(rax);
  return number < most_calls ? *calls[number] : missing;
}

/// With the boot parameter trace-calls all calls go through this one.
const CallEntry* traced_calls[most_calls];
CallResult call_and_log(Call& call) {
  const auto number = static_cast<u32>(call.frame.error);
  const CallEntry& entry = *traced_calls[number];
  const std::array<u64, 6> arguments{call.a, call.b, call.c, call.d, call.e, call.f};
  const u32 thread = current_thread().number;
  const CallResult result = entry.quick != nullptr ? entry.quick(current_thread()) : entry.function(call);
  char buffer[192];
  BufferSink text(buffer);
  put_call(text, number, entry.name, arguments, result);
  log_info("{} {}", thread, text.text());
  return result;
}
constexpr CallEntry traced{.name = "", .function = call_and_log};

CallResult call_function(Frame& frame, CallFunction function) {
  if (makes[frame.rax % most_calls] && memory_is_short()) return fail(Errno::NoMemory);
  Call call(frame);
  return function(call);
}

void perform(Frame& frame, CallFunction function, Thread& thread) {
  frame.error = frame.rax;  // kept for a restart
  const PreemptionOff alone(thread);
  interrupts_on();
  const CallResult result = call_function(frame, function);
  interrupts_off();
  if (ticks_are_polled) [[unlikely]]
    look_at_timer(frame);
  // A deadline is kept for the call that begins again, and for no other one.
  if (result || result.error() != Errno::RestartNoHandler) thread.restart_deadline = 0;
  // Calls that replace the frame (execve, sigreturn) mark it so.
  if (frame.vector != Frame::syscall_vector) return;
  frame.rax = result ? *result : static_cast<u64>(-static_cast<i64>(result.error()));
}

}  // namespace

void register_calls() {
  std::ranges::fill(calls, &missing);
  for (const auto part :
       {process_calls(), identity_calls(), limit_calls(), log_calls(), clock_calls(), scheduling_calls(),
        machine_calls(), memory_calls(), event_calls(), file_calls(), path_calls(), status_calls(), directory_calls(),
        mount_calls(), poll_calls(), signal_calls(), time_calls()}) {
    for (const CallEntry& entry : part) calls[entry.number] = &entry;
  }
  for (const u16 number : making_calls) makes[number] = true;
  if (!kernel().parameters.has("trace-calls")) return;
  std::ranges::copy(calls, traced_calls);
  std::ranges::fill(calls, &traced);
}

/// From SYSCALL's stub in entry.S, IF=0. True: SYSRET can give back the frame as it is now.
extern "C" bool syscall_entry(Frame& frame) {
  const CallEntry& entry = entry_of(frame.rax);
  Thread& thread = current_thread();
  if (entry.quick != nullptr) {
    // What wants this thread meanwhile interrupts it as soon as it is back.
    frame.rax = entry.quick(thread);
    return frame.rip < USER_END;
  }
  enter_kernel_politely();
  perform(frame, entry.function, thread);
  leave_kernel();
  // Handlers that were left to this CPU ran just now, and may have found something for it.
  if (is_wanted(thread) || was_interrupted(frame) || thread.saved_mask_valid) [[unlikely]] {
    enter_kernel_politely();
    leave_to_program(frame);
  }
  return frame.vector == Frame::syscall_vector && frame.rip < USER_END;
}

/// From INT 0x80's: the same, with the same numbers and registers.
extern "C" void int80_entry(Frame& frame) {
  ++this_cpu().vector_counts[frame.vector];
  frame.vector = Frame::syscall_vector;
  (void)syscall_entry(frame);
}

}  // namespace pulse
