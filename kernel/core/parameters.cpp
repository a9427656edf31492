#include "kernel/core/parameters.hpp"

#include <algorithm>

namespace pulse {

std::string_view next_word(std::string_view& rest) {
  const std::size_t begin = rest.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) {
    rest = {};
    return {};
  }
  const std::size_t end = rest.find_first_of(" \t\n", begin);
  const std::string_view word = rest.substr(begin, end == std::string_view::npos ? end : end - begin);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end);
  return word;
}

bool Parameters::has(std::string_view wanted) const {
  std::string_view rest = line_;
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
    if (word == wanted) return true;
  }
  return false;
}

std::optional<std::string_view> Parameters::text(std::string_view name) const {
  std::optional<std::string_view> found;
  std::string_view rest = line_;
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
    if (word.size() > name.size() && word.starts_with(name) && word[name.size()] == '=') {
      found = word.substr(name.size() + 1);
    }
  }
  return found;
}

bool Parameters::lists(std::string_view name, std::string_view word) const {
  std::string_view list = text(name).value_or("");
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    if (list.substr(0, end) == word || list.substr(0, end) == "all") return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

std::optional<u64> Parameters::number(std::string_view name) const {
  const auto digits = text(name);
  if (!digits || digits->empty() || digits->size() > 18) return std::nullopt;
  u64 value = 0;
  for (const char character : *digits) {
    if (character < '0' || character > '9') return std::nullopt;
    value = value * 10 + static_cast<u64>(character - '0');
  }
  return value;
}

}  // namespace pulse
