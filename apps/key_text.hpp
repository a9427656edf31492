// Text as keys: what a US keyboard sends when somebody types it.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"

namespace vitrine {

/// The scan code sequences (set 2, as Input::value wants them: least significant byte first) for typing `text`, one for
/// each press and release. "\n" (or a line feed) is Enter, "\t" Tab, "\e" Escape, "\b" Backspace, "\\" a backslash.
/// On failure the clause that names what can't be typed.
[[nodiscard]] std::expected<std::vector<u64>, std::string> keys_for(std::string_view text);

}  // namespace vitrine
