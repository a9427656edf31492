// What is in the board's ROM, 64 KiB at F0000h and again below 4 GiB: the reset vector, an interrupt handler that
// returns at once, and, on boards with PCI and APICs, the tables that kernels search for there.
//
// Source: IBM PC AT Technical Reference (1502494), BIOS listing: shutdown codes (CMOS byte 0Fh), compatible addresses.
#pragma once

#include <span>

#include "base/types.hpp"
#include "machine/boards/board_wiring.hpp"

namespace vitrine {

/// Fills `rom`, PhysicalMemory::rom_size bytes. The reset vector, for a CPU that INIT or a reset brings there: with
/// shutdown code 05h or 0Ah in CMOS byte 0Fh it goes on at the far pointer in 0040:0067, after 05h with an EOI first;
/// with any other it resets the machine by port CF9h, or where there is none by the keyboard controller.
void fill_rom(std::span<u8> rom, BoardKind kind, unsigned cpus);

}  // namespace vitrine
