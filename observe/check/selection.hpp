// Which rules run: the text of --check=RULES.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "observe/check/rule.hpp"

namespace vitrine {

/// "all", "rule,rule" (only these), "-rule" (all but this one), "all,-rule,..."; read from left to right. Empty: all.
/// The ids in the catalogue's order, or the clause that says what is wrong.
[[nodiscard]] std::expected<std::vector<std::string_view>, std::string> select_rules(std::string_view text);

/// "there is no rule 'missing-eoi'; did you mean missing-eoi? ..."
[[nodiscard]] std::string unknown_rule(std::string_view name);

}  // namespace vitrine
