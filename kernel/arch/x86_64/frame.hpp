// What every entry into the kernel leaves on the stack: interrupts, exceptions, INT 0x80 and SYSCALL alike.
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

/// From `rip` on it is what the CPU pushed (SDM vol. 3A §6.14.2); entry.S pushed the rest.
struct Frame {
  u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rdx, rcx, rbx, rax;
  u64 vector;  ///< 0..255, or syscall_vector
  u64 error;   ///< 0 where the CPU has none; no_error_code
  u64 rip, cs, flags, rsp, ss;

  static constexpr u64 syscall_vector = 256;
  /// The exception with this vector has an error code, and none was pushed: an interrupt came with its vector.
  static constexpr u64 no_error_code = ~u64{0};
  [[nodiscard]] bool from_user() const { return (cs & 3) == 3; }
};
static_assert(sizeof(Frame) == 22 * 8);

}  // namespace pulse
