// The CPU as the plain data that observe/ prints.
#pragma once

#include "machine/core/bus.hpp"
#include "observe/fault_chain.hpp"

namespace vitrine {

struct Cpu;

/// Registers, and the code at the instruction pointer as far as it is mapped. Changes nothing.
[[nodiscard]] RegisterDump register_dump(const Cpu& cpu, const MemoryBus& memory);

}  // namespace vitrine
