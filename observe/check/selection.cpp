#include "observe/check/selection.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace vitrine {

namespace {

/// How many letters must be added, taken away or changed to make one word the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t i = 0; i <= b.size(); ++i) row[i] = i;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, changed});
    }
  }
  return row[b.size()];
}

std::vector<std::string_view> all_ids() {
  std::vector<std::string_view> ids;
  for (const RuleMaker& maker : all_rules()) {
    for (const RuleInfo& rule : maker.rules) ids.push_back(rule.id);
  }
  return ids;
}

}  // namespace

std::string unknown_rule(std::string_view name) {
  std::vector<std::string_view> near;
  for (const std::string_view id : all_ids()) {
    const bool shares = name.size() >= 3 && (id.find(name) != std::string_view::npos);
    if (shares || distance(id, name) <= 3) near.push_back(id);
  }
  return fmt::format("there is no rule '{}'{}; `vitrine check --list` shows all", name,
                     near.empty() ? "" : fmt::format(", but {}", fmt::join(near, ", ")));
}

std::expected<std::vector<std::string_view>, std::string> select_rules(std::string_view text) {
  const std::vector<std::string_view> ids = all_ids();
  std::vector<bool> chosen(ids.size(), text.empty() || text.front() == '-');
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) return std::unexpected("an empty word stands between the commas");
    const bool wanted = word.front() != '-';
    if (!wanted) word.remove_prefix(1);
    if (word == "all") {
      chosen.assign(ids.size(), wanted);
      continue;
    }
    const auto found = std::ranges::find(ids, word);
    if (found == ids.end()) return std::unexpected(unknown_rule(word));
    chosen[static_cast<std::size_t>(found - ids.begin())] = wanted;
  }
  std::vector<std::string_view> result;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (chosen[i]) result.push_back(ids[i]);
  }
  if (result.empty() && !ids.empty()) return std::unexpected("no rule is left");
  return result;
}

}  // namespace vitrine
