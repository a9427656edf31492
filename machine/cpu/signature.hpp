// What the CPU is, for firmware's tables and CPUID leaf 1.
#pragma once

#include "base/types.hpp"

namespace vitrine {

/// EAX of CPUID leaf 1, EDX after RESET: extended model 1, family 6, model Ch, stepping 2. Of stepping Ah and later
/// kernels expect last-branch records, which this CPU does not have.
inline constexpr u32 processor_signature = 0x000106C2;
/// Those of leaf 1's EDX that an MP table tells (MultiProcessor Specification 1.4, table 4-6): FPU, MCE, CX8, APIC.
inline constexpr u32 processor_mp_features = 1u << 0 | 1u << 7 | 1u << 8 | 1u << 9;

}  // namespace vitrine
