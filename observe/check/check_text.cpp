#include <fmt/format.h>

#include "observe/check/check_output.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

constexpr std::size_t width = 100;

/// Breaks a text at blanks; the first line starts with `first`, the others with as many blanks.
std::string wrapped(std::string_view text, std::string_view first) {
  const std::string rest(first.size(), ' ');
  std::string out(first);
  std::size_t column = first.size();
  bool at_start = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) continue;
    if (!at_start && column + 1 + word.size() > width) {
      out += "\n" + rest;
      column = rest.size();
      at_start = true;
    }
    if (!at_start) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    at_start = false;
  }
  return out + "\n";
}

class Painter {
 public:
  explicit Painter(TextColour colour) : on_(colour == TextColour::Ansi) {}
  [[nodiscard]] std::string bold(std::string_view text) const { return paint("1", text); }
  [[nodiscard]] std::string severity(FindingSeverity severity, std::string_view text) const {
    return paint(severity == FindingSeverity::Error     ? "1;31"
                 : severity == FindingSeverity::Warning ? "1;35"
                                                        : "1;36",
                 text);
  }

 private:
  [[nodiscard]] std::string paint(std::string_view code, std::string_view text) const {
    return on_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
  }
  bool on_;
};

std::string place_text(const Finding& finding, const Symboliser* symbols) {
  std::string text = finding.address != 0 ? describe_address(finding.address, symbols) : std::string();
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (finding.line >= 0) add(fmt::format("IRQ {}", finding.line));
  if (finding.vector >= 0) add(fmt::format("vector {:#04x}", finding.vector));
  add(fmt::format("at {} s", moment_text(finding.time)));
  if (finding.count > 1) add(fmt::format("{} times", count_text(finding.count)));
  return text;
}

std::string finding_text(const Finding& finding, const TraceHeader& header, const Symboliser* symbols,
                         const Painter& paint) {
  const RuleInfo* rule = find_rule(finding.rule);
  std::string out =
      paint.severity(finding.severity, fmt::format("{}[{}]", severity_name(finding.severity), finding.rule));
  if (rule != nullptr) out += ": " + paint.bold(rule->title);
  out += "\n" + wrapped(place_text(finding, symbols), "  --> ");
  out += wrapped(resolve_marks(finding.sentence, symbols), "  ");
  for (const std::string& evidence : finding.evidence) out += wrapped(resolve_marks(evidence, symbols), "    - ");
  if (!finding.life.records.empty()) {
    out += finding.life.closed ? "  The whole life of the interrupt:\n" : "  The interrupt's life until then:\n";
    out += life_text(finding.life, header, symbols, "    ");
    if (!out.ends_with('\n')) out += '\n';
  }
  if (rule != nullptr && !rule->fix.empty()) out += wrapped(fmt::format("What usually helps: {}", rule->fix), "  ");
  return out + fmt::format("  The whole story: docs/rules/{}.md\n", finding.rule);
}

std::string counts_text(const CheckResult& result) {
  std::string text;
  for (const FindingSeverity severity : {FindingSeverity::Error, FindingSeverity::Warning, FindingSeverity::Note}) {
    const u64 count = result.count(severity);
    if (count != 0) text += (text.empty() ? "" : ", ") + counted(count, severity_name(severity));
  }
  return text.empty() ? "nothing found" : text;
}

std::string joined(const std::vector<std::string_view>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

}  // namespace

std::string finding_line(const Finding& finding, const Symboliser* symbols) {
  const RuleInfo* rule = find_rule(finding.rule);
  std::string out = fmt::format("{}[{}]", severity_name(finding.severity), finding.rule);
  if (finding.address != 0) out += " at " + describe_address(finding.address, symbols);
  return out + (rule != nullptr ? fmt::format(": {}", rule->title) : std::string());
}

std::string check_text(const CheckResult& result, const Symboliser* symbols, TextColour colour) {
  const Painter paint(colour);
  std::string out = fmt::format("Interrupt sanitizer: {} ({}{}).\n", paint.bold(counts_text(result)),
                                counted(result.checked.size(), "rule"), result.complete ? "" : ", damaged trace");
  for (const Finding& finding : result.findings) out += "\n" + finding_text(finding, result.header, symbols, paint);
  if (result.not_kept != 0) {
    out += fmt::format("\nThere is more: after {} places, {} were not kept.\n", count_text(result.findings.size()),
                       counted(result.not_kept, "report"));
  }
  if (result.suppressed != 0) {
    out += fmt::format("Suppressed: {}.\n", counted(result.suppressed, "finding"));
  }
  for (const std::string& unused : result.unused_suppressions) {
    out += fmt::format("This suppression covered nothing: {}\n", unused);
  }
  if (!result.need_live.empty()) {
    out += wrapped(
        fmt::format("Not checked, since {} `vitrine run --check`: {}.",
                    result.need_live.size() == 1 ? "this rule needs" : "these rules need", joined(result.need_live)),
        "");
  }
  return out;
}

}  // namespace vitrine
