#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "observe/check/check_output.hpp"

namespace vitrine {

namespace {

using Json = nlohmann::ordered_json;

/// Addresses are strings: 64 bits don't fit into the numbers of most JSON readers.
std::string hex(u64 value) { return fmt::format("{:#x}", value); }

Json number_or_null(int value) { return value < 0 ? Json(nullptr) : Json(value); }

Json json_of(const Finding& finding, const TraceHeader& header, const Symboliser* symbols) {
  const RuleInfo* rule = find_rule(finding.rule);
  const std::string symbol = symbols != nullptr ? symbols->describe(finding.address) : std::string();
  const auto place = symbols != nullptr ? symbols->place(finding.address) : std::nullopt;
  Json json = {{"rule", finding.rule},
               {"severity", severity_name(finding.severity)},
               {"title", rule != nullptr ? Json(rule->title) : Json(nullptr)},
               {"sentence", resolve_marks(finding.sentence, symbols)},
               {"evidence", Json::array()},
               {"address", hex(finding.address)},
               {"symbol", symbol.empty() ? Json(nullptr) : Json(symbol)},
               {"file", place ? Json(place->file) : Json(nullptr)},
               {"file_line", place ? Json(place->line) : Json(nullptr)},
               {"irq", number_or_null(finding.line)},
               {"vector", number_or_null(finding.vector)},
               {"time", finding.time},
               {"instructions", finding.instructions},
               {"cpu", finding.cpu},
               {"count", finding.count},
               {"id", finding.id},
               {"life", nullptr},
               {"fix", rule != nullptr ? Json(rule->fix) : Json(nullptr)},
               {"page", fmt::format("docs/rules/{}.md", finding.rule)}};
  for (const std::string& evidence : finding.evidence) json["evidence"].push_back(resolve_marks(evidence, symbols));
  if (!finding.life.records.empty()) json["life"] = Json::parse(life_json(finding.life, header, symbols));
  return json;
}

}  // namespace

std::string check_json(const CheckResult& result, const Symboliser* symbols) {
  Json json = {
      {"format", 1},
      {"guest", result.header.guest},
      {"end", {{"reason", result.end.reason}, {"time", result.end.time}, {"instructions", result.end.instructions}}},
      {"complete", result.complete},
      {"errors", result.count(FindingSeverity::Error)},
      {"warnings", result.count(FindingSeverity::Warning)},
      {"notes", result.count(FindingSeverity::Note)},
      {"findings", Json::array()},
      {"not_kept", result.not_kept},
      {"suppressed", result.suppressed},
      {"unused_suppressions", result.unused_suppressions},
      {"checked", result.checked},
      {"need_live", result.need_live}};
  for (const Finding& finding : result.findings) json["findings"].push_back(json_of(finding, result.header, symbols));
  // Names come from files: bytes that are no UTF-8 are replaced, not refused.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace vitrine
