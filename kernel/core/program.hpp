// What exec does: a new address space with a program and its first stack (System V ABI, AMD64 supplement §3.4.1).
#pragma once

#include <string_view>

#include "kernel/core/process.hpp"

namespace pulse {

/// Replaces what the process runs. Until it succeeds, nothing is changed. `frame` becomes the program's first.
[[nodiscard]] Result<void> load_into(Process& process, Thread& thread, Frame& frame, std::string_view path,
                                     ProgramText text);

}  // namespace pulse
