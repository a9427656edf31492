// vitrine show TRACE
#include "observe/show.hpp"

#include "apps/commands.hpp"
#include "apps/status.hpp"
#include "apps/trace_input.hpp"
#include "apps/values.hpp"
#include "host/file.hpp"

namespace vitrine {

namespace {

struct ShowOptions {
  std::string trace;
  std::string line, vector, source, from, to, id;
  std::vector<std::string> symbols;
  bool json = false;
};

/// Reads an option that may be absent. False: it has complained.
template <class T>
bool take(const char* name, const std::string& text, Parsed<u64> (*parse)(std::string_view), u64 most,
          std::optional<T>& into) {
  if (text.empty()) return true;
  const auto value = parse(text);
  if (!value || *value > most) {
    complain(status::usage,
             fmt::format("{} {}: {}", name, text, value ? fmt::format("the largest is {}", most) : value.error()));
    return false;
  }
  into = static_cast<T>(*value);
  return true;
}

int show(const ShowOptions& options) {
  ShowFilter filter;
  if (!take("--line", options.line, parse_number, 255, filter.line) ||
      !take("--vector", options.vector, parse_number, 255, filter.vector) ||
      !take("--id", options.id, parse_number, ~u64{0}, filter.id) ||
      !take("--from", options.from, parse_duration, ~u64{0}, filter.from) ||
      !take("--to", options.to, parse_duration, ~u64{0}, filter.to)) {
    return status::usage;
  }
  if (!options.source.empty()) filter.source = options.source;

  int exit_status = status::success;
  SymbolTable symbols;
  const auto trace = open_trace(options.trace, exit_status);
  if (!trace || !load_symbols(options.symbols, symbols, exit_status)) return exit_status;
  TraceReader& reader = trace->reader;
  const TraceHeader& header = reader.header();
  if (filter.source && std::ranges::find(header.sources, *filter.source) == header.sources.end()) {
    std::string known;
    for (const std::string& source : header.sources) known += (known.empty() ? "" : ", ") + source;
    return complain(status::usage,
                    fmt::format("--source {}: the trace has no such source; it has {}", *filter.source, known));
  }

  ShowSelector selector(filter, header);
  OutputFile output = OutputFile::standard_output();
  for (auto records = reader.next(); !records.empty() && !output.failed(); records = reader.next()) {
    for (const Record& record : records) {
      if (!selector.selects(record)) continue;
      output.write(options.json ? show_json(record, header, &symbols) : show_line(record, header, &symbols));
      output.write("\n");
    }
  }
  const bool was_cut = output.reader_left();
  if (const int closed = close_output(output); closed != status::success || was_cut) return closed;
  return finish_trace(options.trace, reader);
}

}  // namespace

Command add_show_command(CLI::App& parent) {
  auto options = std::make_shared<ShowOptions>();
  CLI::App* app = parent.add_subcommand("show", "List the records of a trace, one a line");
  app->add_option("TRACE", options->trace, "A file that `vitrine run --trace` wrote")->required();
  app->add_option("--line", options->line, "Only requests of this line, with all that became of them")
      ->type_name("IRQ");
  app->add_option("--vector", options->vector, "Only records with this vector, e.g. 0x30")->type_name("N");
  app->add_option("--source", options->source, "Only records and requests of this device")->type_name("NAME");
  app->add_option("--id", options->id, "Only this request, from its cause to its end")->type_name("N");
  app->add_option("--from", options->from, "Not what was earlier, e.g. 1.5s")->type_name("TIME");
  app->add_option("--to", options->to, "Not what was later")->type_name("TIME");
  app->add_option("--symbols", options->symbols, "Names for addresses: ELF or System.map; may be given again")
      ->type_name("FILE[@OFFSET]")
      ->allow_extra_args(false);
  app->add_flag("--json", options->json, "One JSON object a line");
  app->footer("\nEach line: seconds since power-on, the request's number (#), what happened to it.");
  return {app, [options] { return show(*options); }};
}

}  // namespace vitrine
