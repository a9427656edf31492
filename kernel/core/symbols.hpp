// The kernel's own symbols, for back traces.
#pragma once

#include <string_view>

#include "kernel/core/types.hpp"

namespace pulse {

/// The function that holds a kernel address, demangled at build time; empty if none does.
[[nodiscard]] std::string_view symbol_at(u64 address, u64& offset);

}  // namespace pulse
