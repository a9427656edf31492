// What firmware does with PCI: gives each base address register an address, each interrupt pin its line.
//
// Source: PCI Local Bus Specification 2.2, 6.2.4 (interrupt line), 6.2.5.1 (sizing base address registers).
#pragma once

#include "machine/boards/board_wiring.hpp"
#include "machine/core/bus.hpp"

namespace vitrine {

/// By configuration mechanism #1, as firmware does it: routes the PIRQs (firmware_route_of()), then for each function
/// of bus 0 addresses from pci_ports_begin and pci_memory_begin on, and the decoding of both on.
void set_up_pci(PortBus& ports, BoardKind board);

inline constexpr u32 pci_ports_begin = 0xC000;
inline constexpr u32 pci_memory_begin = 0xE0000000;

}  // namespace vitrine
