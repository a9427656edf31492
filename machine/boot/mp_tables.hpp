// The MP floating pointer and configuration table: what the MADT says, for kernels from before ACPI.
//
// Manual: Intel MultiProcessor Specification 1.4, chapter 4.
#pragma once

#include <vector>

#include "base/types.hpp"
#include "machine/boot/interrupt_map.hpp"

namespace vitrine {

/// The floating pointer (16 bytes) and, right behind it, the configuration table, for `base`: a multiple of 16 in
/// 0xF0000..0xFFFFF, where kernels search. `map` has at least one APIC. Processors with ids from 255 on have no place
/// in it.
[[nodiscard]] std::vector<u8> make_mp_tables(const InterruptMap& map, PhysicalAddress base);

}  // namespace vitrine
