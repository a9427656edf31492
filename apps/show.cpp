// vitrine show TRACE, vitrine show --board NAME
#include "observe/show.hpp"

#include <algorithm>
#include <optional>

#include "apps/commands.hpp"
#include "apps/show_board.hpp"
#include "apps/status.hpp"
#include "apps/trace_input.hpp"
#include "apps/values.hpp"
#include "host/file.hpp"
#include "observe/life/life.hpp"

namespace vitrine {

namespace {

struct ShowOptions {
  std::string trace;
  std::string board;
  bool wants_board = false;
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

std::size_t steps(const Life& life) { return life.records.size() + static_cast<std::size_t>(life.left_out); }

/// The life of one request, as far as the trace is good.
int show_life(const ShowOptions& options, u64 id, TraceReader& reader, const SymbolTable& symbols) {
  LifeTracker tracker;
  std::optional<Life> life;
  u64 last_id = 0;
  for (auto records = reader.next(); !records.empty(); records = reader.next()) {
    for (const Record& record : records) {
      tracker.consume(record);
      last_id = std::max(last_id, record.id);
      if (last_id < id) continue;
      // A life that has ended is forgotten sooner or later, and threads that it woke run after that.
      const Life* now = tracker.find(id);
      if (now != nullptr && (!life || steps(*now) != steps(*life))) life = *now;
    }
  }
  if (!life) {
    if (const int damage = finish_trace(options.trace, reader); damage != status::success) return damage;
    return complain(status::usage,
                    last_id == 0 ? fmt::format("--id {}: the trace has no requests", id)
                                 : fmt::format("--id {}: the trace has no such request; the last is {}", id, last_id));
  }
  const std::string text =
      options.json ? life_json(*life, reader.header(), &symbols) + "\n" : life_text(*life, reader.header(), &symbols);
  if (const int printed = print_result(text); printed != status::success) return printed;
  return finish_trace(options.trace, reader);
}

int show_board(const ShowOptions& options) {
  const BoardTraits* board = board_named(options.board.empty() ? "pc" : options.board);
  if (board == nullptr) {
    return complain(status::usage, fmt::format("--board {}: the boards are isa, pc and q35", options.board));
  }
  return print_result(options.json ? board_json(board->kind) : board_text(board->kind));
}

int show(const ShowOptions& options) {
  if (options.wants_board && !options.trace.empty()) {
    return complain(status::usage, fmt::format("{}: --board prints the wiring and reads no trace", options.trace));
  }
  if (options.wants_board) return show_board(options);
  if (options.trace.empty()) return complain(status::usage, "TRACE is required (see `vitrine show --help`)");
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
  if (!trace || !load_symbols(options.symbols, *trace, symbols, exit_status)) return exit_status;
  TraceReader& reader = trace->reader;
  const TraceHeader& header = reader.header();
  if (filter.source && std::ranges::find(header.sources, *filter.source) == header.sources.end()) {
    std::string known;
    for (const std::string& source : header.sources) known += (known.empty() ? "" : ", ") + source;
    return complain(status::usage,
                    fmt::format("--source {}: the trace has no such source; it has {}", *filter.source, known));
  }

  const bool only_id = filter.id && !filter.line && !filter.vector && !filter.source && !filter.from && !filter.to;
  if (only_id) return show_life(options, *filter.id, reader, symbols);

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
  CLI::App* app = parent.add_subcommand("show", "List the records of a trace, one a line; or how a board is wired");
  app->add_option("TRACE", options->trace, "A file that `vitrine run --trace` wrote");
  CLI::Option* board = app->add_option("--board", options->board, "Instead: a board's interrupt wiring (pc)")
                           ->type_name("[isa|pc|q35]")
                           ->expected(0, 1);
  app->add_option("--line", options->line, "Only requests of this line, with all that became of them")
      ->type_name("IRQ");
  app->add_option("--vector", options->vector, "Only records with this vector, e.g. 0x30")->type_name("N");
  app->add_option("--source", options->source, "Only records and requests of this device")->type_name("NAME");
  app->add_option("--id", options->id, "The life of one request, step by step, from its cause to its end")
      ->type_name("N");
  app->add_option("--from", options->from, "Not what was earlier, e.g. 1.5s")->type_name("TIME");
  app->add_option("--to", options->to, "Not what was later")->type_name("TIME");
  app->add_option("--symbols", options->symbols, "Names for addresses: ELF or System.map; may be given again")
      ->type_name("FILE[@OFFSET]")
      ->allow_extra_args(false);
  app->add_flag("--json", options->json, "One JSON object a line");
  app->footer("\nEach line: seconds since power-on, the request's number (#), what happened to it.");
  return {app, [options, board] {
            options->wants_board = board->count() != 0;
            return show(*options);
          }};
}

}  // namespace vitrine
