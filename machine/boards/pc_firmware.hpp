// What a PC's firmware has done by the time a boot loader starts: this board has none, and guests rely on it.
//
// Sources: IBM PC AT Technical Reference (1502494), BIOS listing and "BIOS data area"; Multiboot Specification 0.6.96,
// 3.2 ("the PICs, IDT ... are as the BIOS left them").
// Interrupt controllers count from vectors 0x08 and 0x70, as on every PC: a kernel that enables interrupts without
// moving them gets its timer as a double fault here too.
#pragma once

#include "base/types.hpp"
#include "machine/core/bus.hpp"

namespace vitrine {

/// Programs the chips and writes interrupt table, BIOS data area and extended BIOS data area.
void leave_as_firmware_does(PortBus& ports, MemoryBus& memory);

/// Puts the ACPI tables of this board into memory; returns where the RSDP is.
[[nodiscard]] PhysicalAddress put_acpi_tables(MemoryBus& memory);

}  // namespace vitrine
