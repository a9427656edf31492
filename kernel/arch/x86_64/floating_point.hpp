// x87 and SSE registers. The kernel itself uses none of them, so they stay the program's until threads change.
#pragma once

#include "kernel/core/thread.hpp"
#include "kernel/core/user_memory.hpp"

namespace pulse {

/// user_copy.S: 0, or -1.
extern "C" int user_load_floating_point(u64 from);

inline void save_floating_point(FloatingPoint& into) { asm volatile("fxsave64 %0" : "=m"(into)); }

/// Of this kernel's own making, or FXSAVE's: a reserved MXCSR bit would fault.
inline void load_floating_point(const FloatingPoint& from) { asm volatile("fxrstor64 %0" ::"m"(from)); }
/// What a program wrote, from its own memory. BadAddress: it is not there, not on 16 bytes, or MXCSR is not valid.
[[nodiscard]] inline Result<void> load_user_floating_point(u64 from) {
  const bool sound = is_user_range(from, sizeof(FloatingPoint)) && user_load_floating_point(from) == 0;
  return sound ? Result<void>() : fail(Errno::BadAddress);
}

/// As after power-on and FNINIT, with all exceptions masked.
inline void reset_floating_point(FloatingPoint& state) {
  state = {};
  *reinterpret_cast<u16*>(state.bytes) = 0x37F;
  *reinterpret_cast<u32*>(state.bytes + 24) = 0x1F80;
}

}  // namespace pulse
