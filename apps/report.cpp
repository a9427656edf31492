// vitrine report TRACE
#include "observe/report.hpp"

#include <algorithm>
#include <optional>

#include "apps/commands.hpp"
#include "apps/status.hpp"
#include "apps/trace_input.hpp"
#include "apps/values.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

struct ReportOptions {
  std::string trace;
  std::string to;
  std::vector<std::string> symbols;
  bool json = false;
};

/// The trace up to and with this moment, or all of it.
std::optional<RunEnd> consume(TraceReader& reader, std::optional<u64> to, ReportBuilder& builder) {
  u64 instructions = 0;
  for (auto records = reader.next(); !records.empty(); records = reader.next()) {
    const auto cut =
        to ? std::ranges::find_if(records, [&](const Record& record) { return record.time > *to; }) : records.end();
    const auto kept = records.first(static_cast<std::size_t>(cut - records.begin()));
    builder.consume(kept);
    if (!kept.empty()) instructions = kept.back().instructions;
    if (cut == records.end()) continue;
    return RunEnd{.time = *to,
                  .instructions = instructions,
                  .reason = "cut",
                  .sentence = fmt::format("Only the part up to {} s of guest time.", moment_text(*to)),
                  .status = status::success};
  }
  return std::nullopt;
}

int report(const ReportOptions& options) {
  std::optional<u64> to;
  if (!options.to.empty()) {
    const auto moment = parse_duration(options.to);
    if (!moment) return complain(status::usage, fmt::format("--to {}: {}", options.to, moment.error()));
    to = *moment;
  }
  int exit_status = status::success;
  SymbolTable symbols;
  const auto trace = open_trace(options.trace, exit_status);
  if (!trace || !load_symbols(options.symbols, *trace, symbols, exit_status)) return exit_status;
  TraceReader& reader = trace->reader;
  ReportBuilder builder(reader.header());
  const std::optional<RunEnd> cut = consume(reader, to, builder);
  const Report result = builder.finish(cut ? *cut : reader.end(), &symbols);
  if (const int printed = print_result(options.json ? report_json(result, &symbols) : report_text(result, &symbols));
      printed != status::success) {
    return printed;
  }
  if (cut) return status::success;  // what comes later has not been read
  return finish_trace(options.trace, reader);
}

}  // namespace

Command add_report_command(CLI::App& parent) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* app = parent.add_subcommand("report", "Print the interrupt report of a trace");
  app->add_option("TRACE", options->trace, "A file that `vitrine run --trace` wrote")->required();
  app->add_option("--to", options->to, "As if the run had ended then, e.g. 1.5s")->type_name("TIME");
  app->add_flag("--json", options->json, "The same numbers for programs");
  app->add_option("--symbols", options->symbols, "Names for addresses: ELF or System.map; may be given again")
      ->type_name("FILE[@OFFSET]")
      ->allow_extra_args(false);
  app->footer(
      "\nThe report goes to standard output. A damaged trace is reported as far as it is good, with status 66.");
  return {app, [options] { return report(*options); }};
}

}  // namespace vitrine
