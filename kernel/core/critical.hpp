// A stretch of pure code that no interrupt handler may see half done. On the host, where tests run it, there is none:
// it only counts.
#pragma once

#if __STDC_HOSTED__

namespace pulse {
class Critical {
 public:
  Critical() { ++depth; }
  ~Critical() { --depth; }
  Critical(const Critical&) = delete;
  Critical& operator=(const Critical&) = delete;
  inline static int depth = 0;  ///< for tests: > 0 inside of one
};
}  // namespace pulse

#else

#include "kernel/arch/x86_64/cpu.hpp"

namespace pulse {
using Critical = InterruptsOff;
}  // namespace pulse

#endif
