// REP between two iterations.
#pragma once

#include "machine/cpu/access.hpp"

namespace vitrine {

/// What a REP instruction ends with while iterations are left: RIP stays at it. What comes between the two iterations
/// pushes RF=1, and no instruction breakpoint is met before the next one (SDM vol. 3B §17.3.1.1).
inline Outcome leave_between_iterations(Cpu& cpu, const Operation& operation) {
  cpu.state.other_flags |= flag::resume;
  cpu.state.rip = current_rip(cpu, operation);
  return Outcome::JumpStop;
}

}  // namespace vitrine
