// Text to key strokes on a US keyboard: what a host types for its user.
//
// Plain characters: the printable ASCII characters, '\n' (Enter), '\t' (Tab), '\b' (Backspace), '\x1B' (Escape).
// Names in angle brackets, without regard to case:
//   <enter> <tab> <space> <backspace> <esc> <up> <down> <left> <right> <home> <end> <pageup> <pagedown> <insert>
//   <delete> <f1> to <f12> <capslock> <numlock> <scrolllock> <printscreen> <pause> <menu>
//   <lt> and <gt> are the characters '<' and '>' ('>' alone may stand for itself).
// Modifiers before a name or a character, in any order: <ctrl-c> <alt-f1> <ctrl-alt-delete> <shift-tab> <win-r>.
#pragma once

#include <expected>
#include <string_view>
#include <vector>

#include "base/types.hpp"

namespace vitrine {

enum class LayoutProblem : u8 {
  UnknownCharacter,  ///< no key of a US keyboard makes it
  UnknownName,       ///< not one of the names above
  Unclosed           ///< '<' without '>'
};
struct LayoutError {
  LayoutProblem problem;
  std::size_t position;  ///< byte in the text
};

/// One value for each key that goes down or up: its set 2 bytes, the first in the least significant place.
[[nodiscard]] std::expected<std::vector<u64>, LayoutError> scan_codes_for(std::string_view text);

}  // namespace vitrine
