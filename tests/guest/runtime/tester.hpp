// Vitrine's interrupt-tester (machine/devices/interrupt_tester) where board pc has it: slot 3, whose INTA# is PIRQ C.
#pragma once

#include "tests/guest/runtime/devices.hpp"
#include "tests/guest/runtime/pci.hpp"

constexpr u8 tester_pin = 18;  ///< of the I/O APIC
enum TesterRegister : u32 { tester_start = 0x14, tester_status = 0x18 };
inline word tester_base;

inline void find_tester() { tester_base = pci_read(3, 0, 0x10) & ~u32{0xF}; }
inline volatile u32& tester(u32 offset) { return *reinterpret_cast<volatile u32*>(tester_base + offset); }
