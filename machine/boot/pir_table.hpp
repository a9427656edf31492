// The $PIR table: which PCI interrupt pins are tied together, and by which register of the router they reach an ISA
// line. For kernels that know neither ACPI nor APICs.
//
// Manual: Microsoft, PCI IRQ Routing Table Specification 1.0.
#pragma once

#include <vector>

#include "base/types.hpp"
#include "machine/boot/interrupt_map.hpp"

namespace vitrine {

/// Belongs on a multiple of 16 in 0xF0000..0xFFFFF, where kernels search. `map` has a router, and four routes for each
/// slot, one after another.
[[nodiscard]] std::vector<u8> make_pir_table(const InterruptMap& map);

}  // namespace vitrine
