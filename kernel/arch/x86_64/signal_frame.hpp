// The frame that a signal handler finds on its program's stack, as Linux lays it out (arch/x86 signal ABI).
#pragma once

#include "abi/linux_signal.hpp"
#include "kernel/arch/x86_64/frame.hpp"
#include "kernel/core/thread.hpp"

namespace pulse {

/// Saves `frame` on the program's stack and changes it so that it enters the handler. False: no room there.
[[nodiscard]] bool push_signal_frame(Frame& frame, Thread& thread, const vitrine::abi::SignalAction& action,
                                     u32 number);
/// rt_sigreturn(2): the reverse. False: there is no such frame.
[[nodiscard]] bool pop_signal_frame(Frame& frame, Thread& thread);

}  // namespace pulse
