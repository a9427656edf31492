// Static ELF programs of x86-64: what their headers say, and what exec does with it (System V ABI, AMD64 supplement).
#pragma once

#include <vector>

#include "kernel/core/result.hpp"
#include "kernel/memory/address_space.hpp"

namespace pulse {

struct LoadedProgram {
  u64 entry = 0;
  u64 program_headers = 0;  ///< their address in memory, for AT_PHDR
  u16 program_header_count = 0;
  u64 end = 0;  ///< behind the last byte: where the break starts
};

/// Maps the program. NotExecutable if it is none of ours (wrong machine, wants an interpreter, headers that lie).
[[nodiscard]] Result<LoadedProgram> load_program(AddressSpace& space, const Ref<Node>& node);

}  // namespace pulse
