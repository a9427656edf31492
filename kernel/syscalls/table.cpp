#include <algorithm>
#include <iterator>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/core/dispatch.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/kernel_lock.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/memory/kernel_memory.hpp"
#include "kernel/syscalls/call.hpp"

namespace pulse {

namespace {

constexpr std::size_t most_calls = 512;
const CallEntry* calls[most_calls];
bool traces_calls = false;
bool told[most_calls];  // that it is not there: once is enough

/// Calls that make something which stays. They are refused while memory is short, so that the kernel's own new, which
/// can't fail, has what the others need.
constexpr u16 making_calls[] = {2,   9,   10,  12,  22,  32,  33,  56,  57,  58,  59,  82,  83,  85,  86,  88,
                                133, 165, 213, 233, 257, 258, 264, 282, 283, 284, 289, 290, 291, 292, 293, 316};

CallResult perform(Frame& frame) {
  const u64 number = static_cast<u32>(frame.rax);
  const CallEntry* const entry = number < most_calls ? calls[number] : nullptr;
  if (entry == nullptr) {
    if (number < most_calls && told[number]) return fail(Errno::NotImplemented);
    if (number < most_calls) told[number] = true;
    log(LogLevel::Notice, "{} ({}): system call {} is not there", static_cast<const char*>(current_thread().name),
        current_thread().number, number);
    return fail(Errno::NotImplemented);
  }
  if (memory_is_short() && std::ranges::find(making_calls, number) != std::end(making_calls)) [[unlikely]] {
    return fail(Errno::NoMemory);
  }
  Call call(frame);
  if (!traces_calls) [[likely]]
    return entry->function(call);
  const u32 thread = current_thread().number;
  const CallResult result = entry->function(call);
  log_info("{} {}({:#x}, {:#x}, {:#x}) = {}", thread, entry->name, call.a, call.b, call.c,
           result ? static_cast<i64>(*result) : -static_cast<i64>(result.error()));
  return result;
}

}  // namespace

void serve_system_call(Frame& frame) {
  frame.error = frame.rax;  // kept for a restart
  {
    const PreemptionOff alone;
    interrupts_on();
    const CallResult result = perform(frame);
    interrupts_off();
    // A deadline is kept for the call that begins again, and for no other one.
    if (result || result.error() != Errno::RestartNoHandler) current_thread().restart_deadline = 0;
    // Calls that replace the frame (execve, sigreturn) mark it so.
    if (frame.vector != Frame::syscall_vector) return;
    frame.rax = result ? *result : static_cast<u64>(-static_cast<i64>(result.error()));
  }
}

void register_calls() {
  traces_calls = kernel().parameters.has("trace-calls");
  for (const auto part : {process_calls(), memory_calls(), event_calls(), file_calls(), path_calls(), mount_calls(),
                          poll_calls(), signal_calls(), time_calls()}) {
    for (const CallEntry& entry : part) calls[entry.number] = &entry;
  }
}

/// From SYSCALL's stub in entry.S, IF=0. True: SYSRET can give back the frame as it is now.
extern "C" bool syscall_entry(Frame& frame) {
  enter_kernel_politely();
  serve_system_call(frame);
  leave_to_program(frame);
  return frame.vector == Frame::syscall_vector && frame.rip < USER_END;
}

}  // namespace pulse
