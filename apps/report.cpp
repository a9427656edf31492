// vitrine report TRACE
#include "observe/report.hpp"

#include "apps/commands.hpp"
#include "apps/status.hpp"
#include "apps/trace_input.hpp"

namespace vitrine {

namespace {

struct ReportOptions {
  std::string trace;
  std::vector<std::string> symbols;
  bool json = false;
};

int report(const ReportOptions& options) {
  int exit_status = status::success;
  SymbolTable symbols;
  const auto trace = open_trace(options.trace, exit_status);
  if (!trace || !load_symbols(options.symbols, symbols, exit_status)) return exit_status;
  TraceReader& reader = trace->reader;
  ReportBuilder builder(reader.header());
  for (auto records = reader.next(); !records.empty(); records = reader.next()) builder.consume(records);
  const Report result = builder.finish(reader.end(), &symbols);
  if (const int printed = print_result(options.json ? report_json(result, &symbols) : report_text(result, &symbols));
      printed != status::success) {
    return printed;
  }
  return finish_trace(options.trace, reader);
}

}  // namespace

Command add_report_command(CLI::App& parent) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* app = parent.add_subcommand("report", "Print the interrupt report of a trace");
  app->add_option("TRACE", options->trace, "A file that `vitrine run --trace` wrote")->required();
  app->add_flag("--json", options->json, "The same numbers for programs");
  app->add_option("--symbols", options->symbols, "Names for addresses: ELF or System.map; may be given again")
      ->type_name("FILE[@OFFSET]")
      ->allow_extra_args(false);
  app->footer(
      "\nThe report goes to standard output. A damaged trace is reported as far as it is good, with status 66.");
  return {app, [options] { return report(*options); }};
}

}  // namespace vitrine
