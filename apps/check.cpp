// vitrine check TRACE
#include <optional>

#include "apps/check_options.hpp"
#include "apps/commands.hpp"
#include "apps/status.hpp"
#include "apps/trace_input.hpp"
#include "host/file.hpp"
#include "host/terminal.hpp"

namespace vitrine {

namespace {

struct CheckCommandOptions {
  std::string trace;
  CheckWords words;
  std::vector<std::string> symbols;
  bool json = false;
  bool list = false;
};

int list_rules() {
  std::string text;
  for (const RuleMaker& maker : all_rules()) {
    for (const RuleInfo& rule : maker.rules) {
      text += fmt::format("{:<26}{}{}\n", rule.id, rule.title, rule.needs_live ? " (only while running)" : "");
    }
  }
  return print_result(text);
}

int check(const CheckCommandOptions& options) {
  if (options.list) return list_rules();
  if (options.trace.empty()) {
    return complain(status::usage, "TRACE is required (see `vitrine check --help`); --list alone prints the rules");
  }
  for (const std::string* path : {&options.words.findings_file, &options.words.sarif_file}) {
    if (!path->empty() && is_same_file(*path, options.trace)) {
      return complain(status::usage, fmt::format("'{}' is the trace itself; write the findings elsewhere", *path));
    }
  }
  int exit_status = status::success;
  CheckPlan plan;
  SymbolTable symbols;
  if (!plan_check(options.words, plan, exit_status)) return exit_status;
  const auto trace = open_trace(options.trace, exit_status);
  if (!trace || !load_symbols(options.symbols, *trace, symbols, exit_status) ||
      !create_check_files(options.words, plan, exit_status)) {
    return exit_status;
  }

  TraceReader& reader = trace->reader;
  Sanitizer sanitizer(reader.header(),
                      {.rules = plan.rules, .symbols = &symbols, .suppressions = std::move(plan.suppressions)});
  if (sanitizer.checks_nothing()) {
    return complain(
        status::usage,
        "--check: a trace does not hold what these rules look at (registers, stacks); `vitrine run --check` "
        "has them all");
  }
  for (auto records = reader.next(); !records.empty(); records = reader.next()) sanitizer.consume(records);
  CheckResult result = sanitizer.finish(reader.end());
  result.complete = reader.error() == TraceError::None;

  if (!write_check_files(options.words, plan, result, &symbols)) return status::internal;
  if (options.words.findings_file.empty()) {
    const TextColour colour = standard_output_is_terminal() ? TextColour::Ansi : TextColour::None;
    const std::string text = options.json ? check_json(result, &symbols) : check_text(result, &symbols, colour);
    if (const int printed = print_result(text); printed != status::success) return printed;
  }
  if (const int damage = finish_trace(options.trace, reader); damage != status::success) return damage;
  return options.words.fatal && is_fatal(result) ? status::check_failed : status::success;
}

}  // namespace

Command add_check_command(CLI::App& parent) {
  auto options = std::make_shared<CheckCommandOptions>();
  CLI::App* app = parent.add_subcommand("check", "Check a trace for mistakes in interrupt handling");
  app->add_option("TRACE", options->trace, "A file that `vitrine run --trace` wrote");
  app->add_option("--check", options->words.rules, "Only these rules, e.g. missing-eoi,bad-idt; or -timer-rate")
      ->type_name("RULES");
  add_check_options(*app, options->words, "Options");
  app->add_option("--symbols", options->symbols, "Names for addresses: ELF or System.map; may be given again")
      ->type_name("FILE[@OFFSET]")
      ->allow_extra_args(false);
  app->add_flag("--json", options->json, "The findings for programs");
  app->add_flag("--list", options->list, "Print all rules, a line each");
  app->footer(R"(
A trace does not hold what some rules look at (registers, stacks): `vitrine run --check` has them all.
The findings go to standard output. Status: 0; 82 --check-fatal, and there are errors or warnings; 64 usage; 66 a file
  can't be read, or the trace is damaged (what could be read is checked all the same).)");
  return {app, [options] { return check(*options); }};
}

}  // namespace vitrine
