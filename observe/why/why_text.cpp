#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "observe/life/places.hpp"
#include "observe/names.hpp"
#include "observe/why/why.hpp"

namespace vitrine {

namespace {

constexpr std::size_t short_evidence = 3;

std::string evidence_line(const WhyEvidence& evidence) {
  const std::string when = evidence.time ? moment_text(*evidence.time) + " s" : std::string();
  return fmt::format("  {:>15}  {}\n", when, evidence.text);
}

/// Something to try that an answer before it has not said.
std::string advice_text(const std::vector<WhyAnswer>& answers) {
  std::string text;
  std::vector<std::string_view> told;
  for (const WhyAnswer& answer : answers) {
    for (const std::string& advice : answer.advice) {
      if (std::ranges::find(told, advice) != told.end()) continue;
      told.push_back(advice);
      text += fmt::format("  - {}\n", advice);
    }
  }
  return text;
}

std::string short_text(const std::vector<WhyAnswer>& answers) {
  std::string text;
  std::vector<std::pair<std::string_view, std::string_view>> told;  // reason, subject
  for (const WhyAnswer& answer : answers) {
    const auto same = std::ranges::find_if(
        told, [&](const auto& each) { return !answer.reason.empty() && each.first == answer.reason; });
    if (same != told.end()) {
      text += fmt::format("{}{} waits{}, for the same reason as {}.\n", text.empty() ? "" : "\n", answer.subject,
                          answer.since != 0 ? fmt::format(" since {} s", moment_text(answer.since)) : "", same->second);
      continue;
    }
    told.emplace_back(answer.reason, answer.subject);
    text += fmt::format("{}{}\n", text.empty() ? "" : "\n", answer.sentence);
    std::size_t left = short_evidence;
    for (const WhyEvidence& evidence : answer.evidence) {
      if (!evidence.time || left == 0) continue;
      --left;
      text += evidence_line(evidence);
    }
  }
  return text;
}

}  // namespace

std::string why_text(const std::vector<WhyAnswer>& answers, const TraceHeader& header, const Symboliser* symbols,
                     WhyDetail detail) {
  if (detail == WhyDetail::Short) return short_text(answers);
  std::string text;
  for (const WhyAnswer& answer : answers) {
    text += fmt::format("{}{}\n", text.empty() ? "" : "\n", answer.sentence);
    if (!answer.evidence.empty()) text += "\nEvidence:\n";
    for (const WhyEvidence& evidence : answer.evidence) text += evidence_line(evidence);
    if (answer.life) {
      const bool waits = answer.id != 0 && answer.life->id == answer.id;
      text += fmt::format("\n{}:\n{}", waits ? "The request, step by step" : "The last one, step by step",
                          life_text(*answer.life, header, symbols, "  "));
      if (!answer.now.empty()) text += fmt::format("  {:>18}    {}\n", "now", answer.now);
    }
  }
  if (const std::string advice = advice_text(answers); !advice.empty()) text += "\nWhat to try:\n" + advice;
  return text;
}

std::string why_json(const std::vector<WhyAnswer>& answers, const TraceHeader& header, const Symboliser* symbols,
                     Evidence told) {
  nlohmann::ordered_json json = {
      {"format", "vitrine-why-1"}, {"guest", header.guest}, {"complete", told == Evidence::Whole}};
  json["answers"] = nlohmann::ordered_json::array();
  for (const WhyAnswer& answer : answers) {
    nlohmann::ordered_json each = {
        {"subject", answer.subject}, {"cause", answer.cause}, {"sentence", answer.sentence}, {"stuck", answer.stuck}};
    if (answer.line >= 0) each["line"] = answer.line;
    if (answer.vector >= 0) each["vector"] = answer.vector;
    if (answer.id != 0) each["id"] = answer.id;
    if (answer.id != 0) each["since"] = answer.since;
    each["evidence"] = nlohmann::ordered_json::array();
    for (const WhyEvidence& evidence : answer.evidence) {
      nlohmann::ordered_json one;
      if (evidence.time) one["time"] = *evidence.time;
      one["text"] = evidence.text;
      if (evidence.address != 0) {
        one["address"] = fmt::format("{:#x}", evidence.address);
        one["place"] = code_place(evidence.address, symbols);
      }
      each["evidence"].push_back(std::move(one));
    }
    each["advice"] = answer.advice;
    if (!answer.now.empty()) each["now"] = answer.now;
    if (answer.life) each["life"] = nlohmann::ordered_json::parse(life_json(*answer.life, header, symbols));
    json["answers"].push_back(std::move(each));
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace vitrine
