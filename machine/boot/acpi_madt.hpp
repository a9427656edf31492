// The MADT (table "APIC"): which processors and I/O APICs there are, and which ISA lines don't end at the pin of their
// own number, or not as an ISA line would.
//
// Manual: ACPI specification 6.3, 5.2.12.
#pragma once

#include <vector>

#include "base/types.hpp"
#include "machine/boot/interrupt_map.hpp"

namespace vitrine {

/// `map` has at least one APIC.
[[nodiscard]] std::vector<u8> make_madt(const InterruptMap& map);

}  // namespace vitrine
