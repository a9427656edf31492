#include "observe/check/suppressions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "observe/check/selection.hpp"

namespace vitrine {

namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

std::string_view without_comment(std::string_view line) {
  for (std::size_t at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1)) {
    if (at == 0 || line[at - 1] == ' ' || line[at - 1] == '\t') return line.substr(0, at);
  }
  return line;
}

/// Decimal, or hexadecimal after 0x; 0 to `most`.
std::optional<int> number_in(std::string_view text, int most) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    base = 16;
  }
  int value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  if (value < 0 || value > most) return std::nullopt;
  return value;
}

/// "name+0x12 (file.c:34)" or "name+0x12 (file.c:34, inlined other)" without what follows the name.
std::string_view symbol_in(std::string_view description) {
  const std::size_t inlined = description.find(", inlined ");
  description = description.substr(0, inlined);
  if (inlined != std::string_view::npos || description.ends_with(')')) {
    const std::size_t place = description.rfind(" (");
    const bool has_line = place != std::string_view::npos && description.find(':', place) != std::string_view::npos &&
                          description.find("::", place) == std::string_view::npos;
    if (has_line) description = description.substr(0, place);
  }
  return description.substr(0, description.rfind("+0x"));
}

bool is_in_file(std::string_view path, std::string_view file) {
  if (!path.ends_with(file)) return false;
  return path.size() == file.size() || file.front() == '/' || path[path.size() - file.size() - 1] == '/';
}

bool is_in_symbol(std::string_view symbol, std::string_view pattern) {
  if (symbol.empty()) return false;
  // "f(int)" is found by "f" too.
  return glob_matches(pattern, symbol) || glob_matches(pattern, symbol.substr(0, symbol.find('(')));
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  std::size_t at = 0;
  std::size_t in_text = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (in_text < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      star_text = in_text;
    } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == text[in_text])) {
      ++at;
      ++in_text;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in_text = ++star_text;
    } else {
      return false;
    }
  }
  return pattern.substr(at).find_first_not_of('*') == std::string_view::npos;
}

std::expected<Suppressions, std::string> Suppressions::parse(std::string_view text, std::string_view name) {
  Suppressions result;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(without_comment(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    const auto wrong = [&](std::string_view clause) {
      return std::unexpected(fmt::format("{}:{}: {}", name, number, clause));
    };
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return wrong(fmt::format("'{}' is not RULE:WHERE, e.g. missing-eoi:timer_* or missing-eoi:vector=0x20", line));
    }
    const std::string_view rule = trimmed(line.substr(0, colon));
    const std::string_view where = trimmed(line.substr(colon + 1));
    if (rule != "*" && find_rule(rule) == nullptr) return wrong(unknown_rule(rule));
    if (where.empty()) {
      return wrong("nothing stands after the colon; give a function, file.c:12, vector=0x20, line=1, or *");
    }

    Entry entry = {.rule = std::string(rule), .where_it_stands = fmt::format("{}:{}: {}", name, number, line)};
    const std::size_t last_colon = where.rfind(':');
    if (where.starts_with("vector=") || where.starts_with("line=")) {
      const bool is_vector = where.starts_with("vector=");
      const int most = is_vector ? 255 : 15;
      const auto value = number_in(where.substr(where.find('=') + 1), most);
      if (!value) return wrong(fmt::format("'{}': a number from 0 to {} must follow the =", where, most));
      entry.kind = is_vector ? Entry::Kind::Vector : Entry::Kind::Line;
      entry.number = *value;
    } else if (const auto source_line = last_colon == std::string_view::npos
                                            ? std::nullopt
                                            : number_in(where.substr(last_colon + 1), 1 << 30);
               source_line && last_colon != 0) {
      entry.kind = Entry::Kind::Source;
      entry.text = where.substr(0, last_colon);
      entry.number = *source_line;
    } else {
      entry.kind = Entry::Kind::Symbol;
      entry.text = where;
    }
    result.entries_.push_back(std::move(entry));
  }
  return result;
}

bool Suppressions::covers(const Finding& finding, const Symboliser* symbols) {
  bool covered = false;
  for (Entry& entry : entries_) {
    if (entry.rule != "*" && entry.rule != finding.rule) continue;
    bool matches = false;
    switch (entry.kind) {
      case Entry::Kind::Vector:
        matches = finding.vector == entry.number;
        break;
      case Entry::Kind::Line:
        matches = finding.line == entry.number;
        break;
      case Entry::Kind::Symbol:
        matches = entry.text == "*" ||
                  (symbols != nullptr && is_in_symbol(symbol_in(symbols->describe(finding.address)), entry.text));
        break;
      case Entry::Kind::Source:
        if (const auto place = symbols != nullptr ? symbols->place(finding.address) : std::nullopt) {
          matches = place->line == entry.number && is_in_file(place->file, entry.text);
        }
        break;
    }
    if (!matches) continue;
    entry.used = true;
    covered = true;
  }
  return covered;
}

std::vector<std::string> Suppressions::unused() const {
  std::vector<std::string> result;
  for (const Entry& entry : entries_) {
    if (!entry.used) result.push_back(entry.where_it_stands);
  }
  return result;
}

}  // namespace vitrine
