// The options of the sanitizer, which `vitrine run` and `vitrine check` share, and what they lead to.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "host/file.hpp"
#include "observe/check/check_output.hpp"
#include "observe/check/suppressions.hpp"
#include "observe/symboliser.hpp"

namespace vitrine {

/// As they stand on the command line. Strings are empty when the option is absent.
struct CheckWords {
  std::string rules;  ///< "-": --check alone
  bool fatal = false;
  std::string suppress_file, findings_file, sarif_file;

  /// Does one of them ask for the sanitizer?
  [[nodiscard]] bool wanted() const {
    return !rules.empty() || fatal || !suppress_file.empty() || !findings_file.empty() || !sarif_file.empty();
  }
};

/// What the words lead to: rules and suppressions, and the files that the findings go to, which are created at once so
/// that a wrong path does not cost a run.
struct CheckPlan {
  std::vector<std::string_view> rules;
  Suppressions suppressions;
  OutputFile findings_file, sarif_file;
};

/// Adds --check-fatal, --suppress, --findings and --sarif; --check is the caller's.
void add_check_options(CLI::App& app, CheckWords& words, const char* group);
/// Reads the rules' names and the suppressions. False: it has complained.
[[nodiscard]] bool plan_check(const CheckWords& words, CheckPlan& plan, int& exit_status);
/// Creates the files. False: it has complained.
[[nodiscard]] bool create_check_files(const CheckWords& words, CheckPlan& plan, int& exit_status);
/// Writes the files that were asked for. False: it has complained.
[[nodiscard]] bool write_check_files(const CheckWords& words, CheckPlan& plan, const CheckResult& result,
                                     const Symboliser* symbols);
/// Does --check-fatal make this the end of a run? Errors and warnings do; a note claims no mistake.
[[nodiscard]] inline bool is_fatal(FindingSeverity severity) { return severity != FindingSeverity::Note; }
[[nodiscard]] bool is_fatal(const CheckResult& result);

}  // namespace vitrine
