// Findings that somebody does not want to see: the file of --suppress.
//
// One a line: RULE:WHERE, where RULE is a rule's id or *, and WHERE is one of
//   symbol       the finding's code is in this function; * and ? match any text and any character
//   file.c:12    it is on this source line; the file may be given with the end of its path
//   vector=0x20  it is about this vector
//   line=1       it is about this IRQ line
// Empty lines, and what follows a # at the start of a word, mean nothing.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "observe/check/finding.hpp"

namespace vitrine {

class Suppressions {
 public:
  /// `name`: the file's, for the messages. On failure: "FILE:LINE: what is wrong".
  [[nodiscard]] static std::expected<Suppressions, std::string> parse(std::string_view text, std::string_view name);

  /// Does one cover this finding? Counts its use.
  [[nodiscard]] bool covers(const Finding& finding, const Symboliser* symbols);
  /// "FILE:LINE: rule:where" of those that never covered anything.
  [[nodiscard]] std::vector<std::string> unused() const;
  [[nodiscard]] bool empty() const { return entries_.empty(); }

 private:
  struct Entry {
    enum class Kind : u8 { Symbol, Source, Vector, Line };
    std::string rule;  ///< or "*"
    Kind kind{};
    std::string text;  ///< the symbol's pattern, or the source file
    int number = 0;    ///< source line, vector, IRQ line
    std::string where_it_stands;
    bool used = false;
  };

  std::vector<Entry> entries_;
};

/// Does all of `text` match a pattern of literal characters, * and ?
[[nodiscard]] bool glob_matches(std::string_view pattern, std::string_view text);

}  // namespace vitrine
