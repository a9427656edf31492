// x87 and SSE registers. The kernel itself uses none of them, so they stay the program's until threads change.
#pragma once

#include "kernel/core/thread.hpp"

namespace pulse {

inline void save_floating_point(FloatingPoint& into) { asm volatile("fxsave64 %0" : "=m"(into)); }

/// The state is made valid first: a reserved MXCSR bit would fault (SDM vol. 1 §10.5.1.2).
inline void load_floating_point(FloatingPoint& from) {
  constexpr u32 mxcsr_bits = 0xFFFF;
  auto* mxcsr = reinterpret_cast<u32*>(from.bytes + 24);
  *mxcsr &= mxcsr_bits;
  asm volatile("fxrstor64 %0" ::"m"(from));
}

/// As after power-on and FNINIT, with all exceptions masked.
inline void reset_floating_point(FloatingPoint& state) {
  state = {};
  *reinterpret_cast<u16*>(state.bytes) = 0x37F;
  *reinterpret_cast<u32*>(state.bytes + 24) = 0x1F80;
}

}  // namespace pulse
