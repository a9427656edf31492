// vitrine why TRACE
#include "observe/why/why.hpp"

#include <optional>

#include "apps/commands.hpp"
#include "apps/status.hpp"
#include "apps/trace_input.hpp"
#include "apps/values.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {

struct WhyOptions {
  std::string trace;
  std::string line, vector, source, at;
  std::vector<std::string> symbols;
  bool json = false;
};

constexpr u64 largest_line = 23;

/// The trace up to and with this moment, or all of it.
std::optional<RunEnd> consume(TraceReader& reader, std::optional<u64> at, WhyBuilder& builder) {
  for (auto records = reader.next(); !records.empty(); records = reader.next()) {
    const auto cut =
        at ? std::ranges::find_if(records, [&](const Record& record) { return record.time > *at; }) : records.end();
    builder.consume(records.first(static_cast<std::size_t>(cut - records.begin())));
    if (cut != records.end()) return RunEnd{.time = *at, .reason = "cut"};
  }
  return std::nullopt;
}

int why(const WhyOptions& options) {
  if (options.line.empty() + options.vector.empty() + options.source.empty() != 2) {
    return complain(status::usage,
                    "say what did not arrive: one of --line N, --vector N, --source NAME (see `vitrine why --help`)");
  }
  const std::string& number = options.line.empty() ? options.vector : options.line;
  const u64 most = options.line.empty() ? 255 : largest_line;
  const char* name = options.line.empty() ? "--vector" : "--line";
  u8 wanted = 0;
  if (!number.empty()) {
    const auto value = parse_number(number);
    if (!value || *value > most) {
      return complain(status::usage, fmt::format("{} {}: {}", name, number,
                                                 value ? fmt::format("the largest is {}", most) : value.error()));
    }
    wanted = static_cast<u8>(*value);
  }
  std::optional<u64> at;
  if (!options.at.empty()) {
    const auto moment = parse_duration(options.at);
    if (!moment) return complain(status::usage, fmt::format("--at {}: {}", options.at, moment.error()));
    at = *moment;
  }

  int exit_status = status::success;
  SymbolTable symbols;
  const auto trace = open_trace(options.trace, exit_status);
  if (!trace || !load_symbols(options.symbols, *trace, symbols, exit_status)) return exit_status;
  TraceReader& reader = trace->reader;
  WhyBuilder builder(reader.header());
  const std::optional<RunEnd> cut = consume(reader, at, builder);
  const RunEnd end = cut ? *cut : reader.end();
  const bool damaged = !cut && reader.error() != TraceError::None;
  // Nothing was read: that nothing happened would be a bold thing to say.
  if (damaged && reader.records_read() == 0) return finish_trace(options.trace, reader);

  std::vector<WhyAnswer> answers;
  if (!options.source.empty()) {
    auto found = builder.about_source(options.source, end, &symbols);
    if (!found) {
      return complain(status::usage, fmt::format("--source {}: the trace has no such device; it has {}", options.source,
                                                 found.error()));
    }
    answers = std::move(*found);
  } else {
    answers =
        options.line.empty() ? builder.about_vector(wanted, end, &symbols) : builder.about_line(wanted, end, &symbols);
  }
  std::string text;
  if (options.json) {
    text = why_json(answers, reader.header(), &symbols, damaged ? Evidence::CutShort : Evidence::Whole);
  } else {
    if (damaged) {
      text =
          fmt::format("The trace is not whole. As things stood at {} s, where it breaks off:\n", moment_text(end.time));
    }
    text += why_text(answers, reader.header(), &symbols, WhyDetail::Full);
  }
  const int printed = print_result(text);
  if (printed != status::success || cut) return printed;  // what comes after the cut has not been read
  return finish_trace(options.trace, reader);
}

}  // namespace

Command add_why_command(CLI::App& parent) {
  auto options = std::make_shared<WhyOptions>();
  CLI::App* app = parent.add_subcommand("why", "Say why an interrupt did not arrive");
  app->add_option("TRACE", options->trace, "A file that `vitrine run --trace` wrote")->required();
  app->add_option("--line", options->line, "What keeps this line from the CPU")->type_name("IRQ");
  app->add_option("--vector", options->vector, "The same for a vector: a line's, an exception's, or INT n")
      ->type_name("N");
  app->add_option("--source", options->source, "The same for a device: keyboard, COM1, timer, ...")->type_name("NAME");
  app->add_option("--at", options->at, "As things stood then, e.g. 1.5s; else at the end of the trace")
      ->type_name("TIME");
  app->add_option("--symbols", options->symbols, "Names for addresses: ELF or System.map; may be given again")
      ->type_name("FILE[@OFFSET]")
      ->allow_extra_args(false);
  app->add_flag("--json", options->json, "The same answer for programs");
  app->footer("\nThe cause comes first, then the evidence, then what to try.");
  return {app, [options] { return why(*options); }};
}

}  // namespace vitrine
