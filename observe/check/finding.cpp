#include "observe/check/finding.hpp"

#include <fmt/format.h>

#include <charconv>

namespace vitrine {

namespace {
constexpr std::string_view mark_begin = "@{0x";
}

std::string_view severity_name(FindingSeverity severity) {
  switch (severity) {
    case FindingSeverity::Note:
      return "note";
    case FindingSeverity::Warning:
      return "warning";
    case FindingSeverity::Error:
      return "error";
  }
  return "error";
}

std::string address_mark(u64 address) { return fmt::format("@{{{:#x}}}", address); }

std::string resolve_marks(const std::string& text, const Symboliser* symbols) {
  std::string result;
  std::size_t done = 0;
  for (std::size_t at = text.find(mark_begin); at != std::string::npos; at = text.find(mark_begin, done)) {
    u64 address = 0;
    const char* digits = text.data() + at + mark_begin.size();
    const auto parsed = std::from_chars(digits, text.data() + text.size(), address, 16);
    const auto end = static_cast<std::size_t>(parsed.ptr - text.data());
    if (parsed.ec != std::errc() || end >= text.size() || text[end] != '}') {
      result += text.substr(done, at + 1 - done);
      done = at + 1;
      continue;
    }
    result += text.substr(done, at - done);
    const std::string name = symbols != nullptr ? symbols->describe(address) : std::string();
    result += name.empty() ? fmt::format("{:#x}", address) : name;
    done = end + 1;
  }
  return result + text.substr(done);
}

}  // namespace vitrine
