// What exec does: a new address space with a program and its first stack (System V ABI, AMD64 supplement §3.4.1).
#pragma once

#include <string_view>

#include "kernel/core/process.hpp"

namespace pulse {

/// Bytes of a program's arguments and environment, with an address of each.
inline constexpr std::size_t most_program_text = 256 * 1024;

/// Replaces what the process runs by a program with one thread, this one. Until it succeeds, nothing is changed, and no
/// other thread has ended. `frame` becomes the program's first.
[[nodiscard]] Result<void> execute_in(Process& process, Thread& thread, Frame& frame, std::string_view path,
                                      ProgramText text);

}  // namespace pulse
