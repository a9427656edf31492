// Signals of Linux on x86-64: numbers, actions, and the frame that a handler finds (asm/signal.h, asm/sigcontext.h,
// asm/ucontext.h).
#pragma once

#include "base/types.hpp"

namespace vitrine::abi {

namespace signal {
inline constexpr u32 hang_up = 1, interrupt = 2, quit = 3, illegal = 4, trap = 5, abort = 6, bus = 7, arithmetic = 8,
                     kill = 9, user1 = 10, segmentation = 11, user2 = 12, pipe = 13, alarm = 14, terminate = 15,
                     child = 17, resume = 18, stop = 19, terminal_stop = 20, terminal_input = 21, terminal_output = 22,
                     urgent = 23, cpu_limit = 24, file_size = 25, window_change = 28, input_output = 29, most = 64;
}  // namespace signal

namespace signal_flag {
inline constexpr u64 no_child_stop = 1, no_child_wait = 2, information = 4, restorer = 0x0400'0000,
                     on_stack = 0x0800'0000, restart = 0x1000'0000, no_defer = 0x4000'0000, reset_handler = 0x8000'0000;
}  // namespace signal_flag

inline constexpr u64 default_handler = 0, ignore_handler = 1;

/// SignalInformation::code: who sent it, or what the fault was (asm-generic/siginfo.h).
namespace signal_code {
inline constexpr i32 by_kill = 0, by_kernel = 0x80, by_tkill = -6, not_mapped = 1, forbidden = 2, no_such_address = 2,
                     child_exited = 1, child_killed = 2, child_stopped = 5, child_resumed = 6;
}  // namespace signal_code

/// SignalStack::flags.
namespace signal_stack_flag {
inline constexpr i32 in_use = 1, disabled = 2;
inline constexpr u32 disarms_itself = 1u << 31;
}  // namespace signal_stack_flag

/// As rt_sigaction(2) takes it from the C library.
struct SignalAction {
  u64 handler = default_handler, flags = 0, restorer = 0, mask = 0;
};

struct SignalInformation {
  i32 signal = 0, error = 0, code = 0, padding = 0;
  union {
    struct {
      i32 process, user;
      i32 status;
    } sender{};
    u64 address;
    u8 all[112];
  };
};
static_assert(sizeof(SignalInformation) == 128);

struct SignalContext {
  u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, flags;
  u16 cs, gs, fs, ss;
  u64 error, trap, old_mask, cr2;
  u64 floating_point;
  u64 reserved[8];
};

struct SignalStack {
  u64 address = 0;
  i32 flags = 2;  // SS_DISABLE
  i32 padding = 0;
  u64 size = 0;
};

struct UserContext {
  u64 flags, link;
  SignalStack stack;
  SignalContext registers;
  u64 mask;
};

struct SignalFrame {
  u64 restorer;  ///< the handler's return address
  UserContext context;
  SignalInformation information;
};

}  // namespace vitrine::abi
