// What a PC's firmware has done by the time a boot loader starts: this board has none, and guests rely on it.
//
// Sources: IBM PC AT Technical Reference (1502494), BIOS listing and "BIOS data area"; Multiboot Specification 0.6.96,
// 3.2 ("the PICs, IDT ... are as the BIOS left them").
// Interrupt controllers count from vectors 0x08 and 0x70, as on every PC: a kernel that enables interrupts without
// moving them gets its timer as a double fault here too. With APICs they reach the first CPU by virtual wire
// (MultiProcessor Specification 1.4, 3.6.2.2); the other CPUs wait for a SIPI.
#pragma once

#include "base/types.hpp"
#include "machine/core/bus.hpp"

namespace vitrine {

class PcBoard;

/// Programs the chips of `board` and writes interrupt table, BIOS data area and extended BIOS data area.
void leave_as_firmware_does(PortBus& ports, MemoryBus& memory, PcBoard& board);

/// Puts the ACPI tables of `board` into memory; returns where the RSDP is.
[[nodiscard]] PhysicalAddress put_acpi_tables(MemoryBus& memory, const PcBoard& board);

}  // namespace vitrine
