// IA32_MISC_ENABLE: what firmware switches off (SDM vol. 4 §2.1).
#pragma once

#include "base/types.hpp"

namespace vitrine::misc_enable_bit {

inline constexpr u64 performance_monitor = u64{1} << 7;  ///< there is one; read-only
inline constexpr u64 no_execute_disable = u64{1} << 34;  ///< CPUID hides NX, and EFER.NXE is reserved

}  // namespace vitrine::misc_enable_bit
