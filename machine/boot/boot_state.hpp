// The CPU state with which a guest starts: what its boot protocol promises, as plain data.
//
// The board copies it into its CPU. Fields that the protocol leaves open are 0.
#pragma once

#include <array>

#include "base/types.hpp"

namespace vitrine {

/// A segment register with its hidden part.
struct BootSegment {
  u16 selector = 0;
  u64 base = 0;
  u32 limit = 0;  ///< in bytes, the last valid offset: granularity is already applied
  /// The descriptor's bits 40..47 in bits 0..7 (type, S, DPL, P) and its bits 52..55 in bits 12..15 (AVL, L, D/B, G);
  /// Intel SDM volume 3, 3.4.5. 0: not present.
  u16 attributes = 0;

  friend bool operator==(const BootSegment&, const BootSegment&) = default;
};

/// GDTR or IDTR.
struct BootTable {
  u64 base = 0;
  u16 limit = 0;
};

struct BootState {
  enum class Mode : u8 { Real16, Protected32, Long64 };
  /// Encoding order of the general registers (ModRM), for `gpr`.
  static constexpr u8 rax = 0, rcx = 1, rdx = 2, rbx = 3, rsp = 4, rbp = 5, rsi = 6, rdi = 7;

  Mode mode = Mode::Real16;
  u64 rip = 0;
  std::array<u64, 16> gpr{};
  BootSegment cs, ds, es, fs, gs, ss, tr, ldtr;
  BootTable gdtr, idtr;
  u64 cr0 = 0;
  u64 cr3 = 0;
  u64 cr4 = 0;
  u64 efer = 0;
  u64 rflags = 2;  ///< bit 1 is always 1; interrupts are off
};

}  // namespace vitrine
