// Finds a text in a stream of bytes, wherever it is cut into pieces.
#pragma once

#include <string>
#include <vector>

#include "base/types.hpp"

namespace vitrine {

/// Knuth, Morris and Pratt's automaton: one step per byte, no memory of the stream.
class TextMatcher {
 public:
  /// An empty text never matches.
  explicit TextMatcher(std::string text) : text_(std::move(text)), fallback_(text_.size() + 1) {
    for (std::size_t i = 1, length = 0; i < text_.size(); ++i) {
      while (length > 0 && text_[i] != text_[length]) length = fallback_[length];
      if (text_[i] == text_[length]) ++length;
      fallback_[i + 1] = length;
    }
  }

  /// True when the text ends with this byte.
  bool feed(u8 byte) {
    if (text_.empty()) return false;
    if (matched_ == text_.size()) matched_ = fallback_[matched_];
    while (matched_ > 0 && static_cast<u8>(text_[matched_]) != byte) matched_ = fallback_[matched_];
    if (static_cast<u8>(text_[matched_]) == byte) ++matched_;
    return matched_ == text_.size();
  }

 private:
  std::string text_;
  std::vector<std::size_t> fallback_;  // [n]: the longest proper prefix that ends the first n bytes
  std::size_t matched_ = 0;
};

}  // namespace vitrine
