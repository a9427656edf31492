// Error numbers by the names that errno(3) gives them.
#pragma once

#include <string_view>

#include "kernel/core/result.hpp"

namespace pulse {

/// "ENOENT". "?" for a number that has no name here.
[[nodiscard]] std::string_view name_of(Errno error);

}  // namespace pulse
