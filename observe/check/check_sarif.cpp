// SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/. Section numbers are the standard's.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "observe/check/artifact_uris.hpp"
#include "observe/check/check_output.hpp"
#include "observe/names.hpp"
#include "observe/show.hpp"

namespace vitrine {

namespace {

using Json = nlohmann::ordered_json;

struct Context {
  const CheckResult& result;
  const Symboliser* symbols;
  ArtifactUris uris;
};

Json text_of(std::string_view text) { return {{"text", text}}; }

/// 3.4
Json artifact(std::string_view path, const Context& context) {
  const ArtifactUris::Uri uri = context.uris.of(path);
  Json json = {{"uri", uri.text}};
  if (uri.below_base) json["uriBaseId"] = ArtifactUris::base_id;
  return json;
}

/// 3.28: the source line if it is known, the address in the guest, the function's name.
Json location_of(u64 address, const Context& context) {
  const auto& [result, symbols, uris] = context;
  const auto place = symbols != nullptr ? symbols->place(address) : std::nullopt;
  const std::string name = symbols != nullptr ? symbols->describe(address) : std::string();
  Json physical;
  if (place) {
    physical = {{"artifactLocation", artifact(place->file, context)}, {"region", {{"startLine", place->line}}}};
  } else {
    physical = {{"artifactLocation", artifact(result.header.guest, context)}};
  }
  // 3.32.6: a JSON number, which must not be negative; code above 2^63 has its address in the name only.
  if (address >> 63 == 0) physical["address"] = {{"absoluteAddress", address}};
  Json location = {{"physicalLocation", std::move(physical)}};
  const Json function = {{"fullyQualifiedName", name.empty() ? fmt::format("{:#x}", address) : name},
                         {"kind", "function"}};
  location["logicalLocations"] = Json::array({function});
  return location;
}

std::string_view level_of(FindingSeverity severity) { return severity_name(severity); }  // 3.27.10 has the same words

Json rule_json(std::string_view id) {
  Json json = {{"id", id}};
  if (const RuleInfo* rule = find_rule(id)) {
    json["shortDescription"] = text_of(rule->title);
    json["fullDescription"] = text_of(fmt::format("{}. {}", rule->title, rule->fix));
    json["help"] = text_of(fmt::format("{} See docs/rules/{}.md.", rule->fix, id));
  }
  return json;
}

/// 3.36: the interrupt's life, as the steps of a code flow.
Json code_flow(const Finding& finding, const Context& context) {
  Json steps = Json::array();
  for (const Record& record : finding.life.records) {
    Json location = record.address != 0 ? location_of(record.address, context) : Json::object();
    location["message"] = text_of(show_line(record, context.result.header, context.symbols));
    steps.push_back({{"location", std::move(location)}});
  }
  const Json thread_flow = {{"locations", std::move(steps)}};
  return {{"threadFlows", Json::array({thread_flow})}};
}

Json result_json(const Finding& finding, std::size_t rule_index, const Context& context) {
  const Symboliser* symbols = context.symbols;
  std::string message = resolve_marks(finding.sentence, symbols);
  for (const std::string& evidence : finding.evidence) message += "\n" + resolve_marks(evidence, symbols);
  Json json = {{"ruleId", finding.rule},
               {"ruleIndex", rule_index},
               {"level", level_of(finding.severity)},
               {"message", text_of(message)},
               {"locations", Json::array({location_of(finding.address, context)})},
               {"occurrenceCount", finding.count}};
  // 3.27.17: what stays the same when the guest is built again. Without a name, the address has to do.
  const std::string name = symbols != nullptr ? symbols->describe(finding.address) : std::string();
  json["partialFingerprints"] = {
      {"vitrine/v1", fmt::format("{}:{}:{}:{}", finding.rule,
                                 name.empty() ? fmt::format("{:#x}", finding.address) : name.substr(0, name.find('+')),
                                 finding.line, finding.vector)}};
  if (!finding.life.records.empty()) json["codeFlows"] = Json::array({code_flow(finding, context)});
  json["properties"] = {{"guestNanoseconds", finding.time}, {"instructions", finding.instructions}};
  return json;
}

}  // namespace

std::string check_sarif(const CheckResult& result, const Symboliser* symbols, std::string_view version,
                        std::string_view base) {
  const Context context = {result, symbols, ArtifactUris(base)};
  Json rules = Json::array();
  std::map<std::string, std::size_t, std::less<>> index;
  for (const std::string_view id : result.checked) {
    index.emplace(id, rules.size());
    rules.push_back(rule_json(id));
  }
  Json results = Json::array();
  for (const Finding& finding : result.findings) {
    results.push_back(result_json(finding, index.at(finding.rule), context));
  }
  Json run = {{"tool",
               {{"driver",
                 {{"name", "Vitrine"},
                  {"semanticVersion", version},
                  {"fullName", "Vitrine interrupt sanitizer"},
                  {"rules", std::move(rules)}}}}},
              {"invocations", Json::array({Json{{"executionSuccessful", result.complete}}})},
              {"columnKind", "utf16CodeUnits"},
              {"results", std::move(results)}};
  if (const std::string uri = context.uris.base_uri(); !uri.empty()) {
    run["originalUriBaseIds"] = {{ArtifactUris::base_id, {{"uri", uri}}}};  // 3.14.14
  }
  const Json json = {
      {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"}, {"version", "2.1.0"}, {"runs", Json::array({run})}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace vitrine
