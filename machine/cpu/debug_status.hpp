// DR6, the debug status register.
#pragma once

#include "machine/cpu/state.hpp"

namespace vitrine {

/// For a debug exception: B0 to B3 are those of this one, all else that is set stays (SDM vol. 3B §17.2.3).
inline void note_debug_reasons(CpuState& state, u64 reasons) { state.dr[6] = (state.dr[6] & ~u64{0xF}) | reasons; }

}  // namespace vitrine
