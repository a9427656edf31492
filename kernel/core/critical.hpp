// A stretch of pure code that no interrupt handler may see half done. On the host, where tests run it, there is none.
#pragma once

#if __STDC_HOSTED__

namespace pulse {
struct Critical {
  ~Critical() {}  // so that an unused one is no warning
};
}  // namespace pulse

#else

#include "kernel/arch/x86_64/cpu.hpp"

namespace pulse {
using Critical = InterruptsOff;
}  // namespace pulse

#endif
