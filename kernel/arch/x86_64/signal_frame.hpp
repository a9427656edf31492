// The frame that a signal handler finds on its program's stack, as Linux lays it out (arch/x86 signal ABI).
#pragma once

#include "abi/linux_signal.hpp"
#include "kernel/arch/x86_64/frame.hpp"
#include "kernel/core/thread.hpp"

namespace pulse {

/// Saves `frame` on the program's stack and changes it so that it enters the handler. False: no room there, or
/// the handler is no address of a program.
[[nodiscard]] bool push_signal_frame(Frame& frame, Thread& thread, const vitrine::abi::SignalAction& action,
                                     const vitrine::abi::SignalInformation& information);
/// Is a program whose stack pointer is `stack` on the stack that it gave for handlers?
[[nodiscard]] inline bool is_on_signal_stack(const Thread& thread, u64 stack) {
  return thread.signal_stack.size != 0 && stack - thread.signal_stack.address - 1 < thread.signal_stack.size;
}
/// rt_sigreturn(2): the reverse. False: there is no such frame.
[[nodiscard]] bool pop_signal_frame(Frame& frame, Thread& thread);

}  // namespace pulse
