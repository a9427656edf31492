#include "apps/check_options.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "apps/create_output.hpp"
#include "apps/status.hpp"
#include "observe/check/selection.hpp"

namespace vitrine {

namespace {

constexpr u64 largest_suppression_file = u64{16} << 20;

bool write_file(const char* option, const std::string& path, OutputFile& file, std::string_view text) {
  file.write(text);
  if (file.close()) return true;
  complain(status::internal, fmt::format("{}: can't write '{}': {}", option, path, file.error()));
  return false;
}

}  // namespace

void add_check_options(CLI::App& app, CheckWords& words, const char* group) {
  app.add_flag("--check-fatal", words.fatal, "The first error or warning of the sanitizer ends it with status 82")
      ->group(group);
  app.add_option("--suppress", words.suppress_file,
                 "Findings not to show: a line for each, RULE:function, RULE:file.c:12, RULE:vector=0x20, RULE:line=1")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--findings", words.findings_file,
                 "Write the sanitizer's findings there; a FILE that ends in .json gets JSON")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--sarif", words.sarif_file, "Write them as SARIF 2.1.0, for code hosts")
      ->type_name("FILE")
      ->group(group);
}

bool plan_check(const CheckWords& words, CheckPlan& plan, int& exit_status) {
  auto rules = select_rules(words.rules == "-" ? "" : words.rules);
  if (!rules) {
    exit_status = complain(status::usage, fmt::format("--check={}: {}", words.rules, rules.error()));
    return false;
  }
  plan.rules = std::move(*rules);
  if (words.suppress_file.empty()) return true;
  const auto contents = read_file(words.suppress_file, largest_suppression_file);
  if (!contents) {
    exit_status = complain(
        status::no_input, fmt::format("--suppress: can't read '{}': {}", words.suppress_file, contents.error().clause));
    return false;
  }
  auto suppressions =
      Suppressions::parse({reinterpret_cast<const char*>(contents->data()), contents->size()}, words.suppress_file);
  if (!suppressions) {
    exit_status = complain(status::usage, fmt::format("--suppress: {}", suppressions.error()));
    return false;
  }
  plan.suppressions = std::move(*suppressions);
  return true;
}

bool create_check_files(const CheckWords& words, CheckPlan& plan, int& exit_status) {
  return create_output("--findings", words.findings_file, plan.findings_file, exit_status) &&
         create_output("--sarif", words.sarif_file, plan.sarif_file, exit_status);
}

bool write_check_files(const CheckWords& words, CheckPlan& plan, const CheckResult& result, const Symboliser* symbols) {
  bool written = true;
  if (const std::string& path = words.findings_file; !path.empty()) {
    const bool json = path.ends_with(".json");
    written = write_file("--findings", path, plan.findings_file,
                         json ? check_json(result, symbols) : check_text(result, symbols));
  }
  if (!words.sarif_file.empty()) {
    // In a CI job, the top of the checkout. If it can't be told, files have absolute names.
    std::error_code problem;
    const std::string here = std::filesystem::current_path(problem).string();
    const std::string text = check_sarif(result, symbols, VITRINE_VERSION, here);
    written = write_file("--sarif", words.sarif_file, plan.sarif_file, text) && written;
  }
  return written;
}

bool is_fatal(const CheckResult& result) {
  return std::ranges::any_of(result.findings, [](const Finding& finding) { return is_fatal(finding.severity); });
}

}  // namespace vitrine
