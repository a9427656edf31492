// A system call as one line of text, for the boot parameter trace-calls.
#pragma once

#include <span>

#include "kernel/core/format.hpp"
#include "kernel/core/result.hpp"

namespace pulse {

/// "open(0x4a10f0, 0x0, 0x0) = -ENOENT": as many of the six `arguments` as the call of that number has.
void put_call(TextSink& out, u32 number, std::string_view name, std::span<const u64, 6> arguments,
              const Result<u64>& result);

}  // namespace pulse
