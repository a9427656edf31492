// What a loop around a HLT asks memory before it halts: the words whose value decides, and the gap in which an
// interrupt that changes them comes too late.
#pragma once

#include <vector>

#include "observe/check/rules/code_path.hpp"

namespace vitrine {

/// One word of RAM that is read and tested on the way to the HLT.
struct IdleWord {
  u64 linear = 0;
  unsigned size = 0;
  u64 read_at = 0;       ///< the instruction that reads it last
  bool ordered = false;  ///< tested for less or greater, as a count is, not for equality
  /// Instructions before which an interrupt comes too late for the test: those behind the read, and the HLT.
  std::vector<u64> gap;
};

struct IdleLoop {
  u64 halt = 0;
  bool endless = false;            ///< it comes back to the HLT with no test and no way out
  bool clears_interrupts = false;  ///< a CLI is in the loop
  std::vector<IdleWord> words;
};

/// The loop in which the HLT at `halt` stands; registers and stack are those right behind the HLT.
[[nodiscard]] IdleLoop idle_loop_around(const Cpu& cpu, u64 halt);

}  // namespace vitrine
