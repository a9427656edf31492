// The kernel's command line: words, some of them NAME=VALUE.
#pragma once

#include <optional>
#include <string_view>

#include "kernel/core/types.hpp"

namespace pulse {

/// Takes the first word off `rest`; empty: there is none.
[[nodiscard]] std::string_view next_word(std::string_view& rest);

class Parameters {
 public:
  Parameters() = default;
  explicit Parameters(std::string_view line) : line_(line) {}

  [[nodiscard]] std::string_view line() const { return line_; }
  /// The word stands alone.
  [[nodiscard]] bool has(std::string_view word) const;
  /// What stands behind NAME=; the last one counts.
  [[nodiscard]] std::optional<std::string_view> text(std::string_view name) const;
  /// NAME= is followed by a list with this word in it, or "all": NAME=WORD,WORD.
  [[nodiscard]] bool lists(std::string_view name, std::string_view word) const;
  /// The same as a decimal number; nothing if it is none or does not fit.
  [[nodiscard]] std::optional<u64> number(std::string_view name) const;

 private:
  std::string_view line_;
};

}  // namespace pulse
