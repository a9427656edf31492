// What the sanitizer found, in words and for programs.
#pragma once

#include <string>

#include "observe/check/sanitizer.hpp"

namespace vitrine {

enum class TextColour : u8 { None, Ansi };

/// For people, like a compiler's or a memory sanitizer's report. Several lines; `symbols` may be null.
[[nodiscard]] std::string check_text(const CheckResult& result, const Symboliser* symbols,
                                     TextColour colour = TextColour::None);
/// One line, at the moment of a finding: "error[missing-eoi] at keyboard_stub+0x1f (kbd.cpp:31): a handler ...".
[[nodiscard]] std::string finding_line(const Finding& finding, const Symboliser* symbols);
/// For programs; docs/rules/README.md describes it.
[[nodiscard]] std::string check_json(const CheckResult& result, const Symboliser* symbols);
/// SARIF 2.1.0 (OASIS), for code hosts. `version`: of this program. `base`: the directory below which files are named
/// by relative URIs (artifact_uris.hpp).
[[nodiscard]] std::string check_sarif(const CheckResult& result, const Symboliser* symbols, std::string_view version,
                                      std::string_view base = {});

}  // namespace vitrine
