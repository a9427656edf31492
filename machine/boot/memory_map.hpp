// What memory the guest is told about: the board's address map in the form of INT 15h, AX=E820h.
#pragma once

#include <vector>

#include "base/types.hpp"

namespace vitrine {

/// ACPI specification, "System Address Map Interfaces"; the values are those that guests see.
enum class MemoryType : u32 { Ram = 1, Reserved = 2, AcpiReclaimable = 3, AcpiNvs = 4, Unusable = 5 };

struct MemoryRange {
  PhysicalAddress start{};
  u64 size = 0;
  MemoryType type = MemoryType::Ram;
};

struct MemoryMap {
  /// In ascending order, without overlap. Everything of type Ram must be mapped as RAM on the memory bus.
  std::vector<MemoryRange> ranges;
  /// The ACPI root pointer; 0: none.
  PhysicalAddress rsdp{};
  /// The loader puts nothing of its own below this (interrupt table, BIOS data area).
  PhysicalAddress lowest_usable{0x1000};
};

}  // namespace vitrine
