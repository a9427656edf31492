// The three scan code sets of a PC keyboard, and what turns one into another.
//
// Manual: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)", scan code
//   tables; Microsoft Keyboard Scan Code Specification, appendix A, for the controller's translation.
#pragma once

#include <optional>

#include "base/types.hpp"
#include "machine/core/archive.hpp"

namespace vitrine {

/// Turns a stream of set 2 bytes into set 1: the keyboard controller does so when translation is on, and so does a
/// keyboard that was told to use set 1. Replies (0xFA, 0xAA, ...) pass as they are.
class SetOneTranslator {
 public:
  /// The byte that comes out, if one does: a break prefix (0xF0) is kept back and marks the next byte.
  std::optional<u8> translate(u8 byte);
  void exchange(Archive& archive) { archive(break_follows_); }

 private:
  bool break_follows_ = false;
};

/// The set 3 code of a key that has `code` in set 2, with the prefix 0xE0 or without; 0 for codes that are no key of
/// their own (the shifts that set 2 sends around other keys).
[[nodiscard]] u8 set_three_code(bool extended, u8 code);

/// Set 3, default state: only these keys send a code when they are released.
[[nodiscard]] bool set_three_sends_break_by_default(u8 code);

}  // namespace vitrine
