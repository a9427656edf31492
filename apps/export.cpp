// vitrine export TRACE
#include <deque>

#include "apps/commands.hpp"
#include "apps/status.hpp"
#include "apps/trace_input.hpp"
#include "host/file.hpp"
#include "observe/export/chrome.hpp"
#include "observe/export/ctf.hpp"
#include "observe/export/perfetto.hpp"
#include "observe/export/timeline.hpp"

namespace vitrine {

namespace {

struct ExportOptions {
  std::string trace;
  std::string perfetto, chrome, ctf;
  std::vector<std::string> symbols;
};

class FileSink final : public ByteSink {
 public:
  explicit FileSink(OutputFile file) : file(std::move(file)) {}
  void write(std::span<const u8> bytes) override { file.write(bytes); }
  OutputFile file;
};

int can_not_write(const std::string& path, std::string_view clause) {
  return complain(status::no_input, fmt::format("can't write '{}': {}", path, clause));
}

/// What all formats begin with: which tracks and CPUs there are.
TimelineSurvey survey_of(TraceReader& reader) {
  TimelineSurvey survey;
  reader.rewind();
  for (auto records = reader.next(); !records.empty(); records = reader.next()) survey.consume(records);
  reader.rewind();
  return survey;
}

template <class Writer>
int export_timeline(const std::string& path, TraceReader& reader, const SymbolTable& symbols) {
  auto file =
      path == "-" ? std::expected<OutputFile, std::string>(OutputFile::standard_output()) : OutputFile::create(path);
  if (!file) return can_not_write(path, file.error());
  FileSink sink(std::move(*file));
  const TimelineSurvey survey = survey_of(reader);
  Writer writer(sink);
  Timeline timeline(writer, survey, reader.header(), &symbols);
  for (auto records = reader.next(); !records.empty() && !sink.file.failed(); records = reader.next()) {
    timeline.consume(records);
  }
  timeline.finish(reader.end().time);
  return close_output(sink.file, path);
}

int export_ctf(const std::string& directory, TraceReader& reader, const SymbolTable& symbols) {
  if (const auto made = make_directory(directory); !made) return can_not_write(directory, made.error());
  std::deque<FileSink> files;
  std::vector<std::string> paths = {directory + "/metadata"};
  for (u32 cpu = 0; cpu <= survey_of(reader).last_cpu(); ++cpu)
    paths.push_back(fmt::format("{}/cpu_{}", directory, cpu));
  std::vector<ByteSink*> streams;
  for (const std::string& path : paths) {
    auto file = OutputFile::create(path);
    if (!file) return can_not_write(path, file.error());
    streams.push_back(&files.emplace_back(std::move(*file)));
  }
  files.front().file.write(ctf_metadata(reader.header()));
  streams.erase(streams.begin());
  CtfWriter writer(streams, reader.header(), &symbols);
  for (auto records = reader.next(); !records.empty(); records = reader.next()) writer.consume(records);
  writer.finish(reader.end().time);
  int exit_status = status::success;
  for (std::size_t i = 0; i < files.size() && exit_status == status::success; ++i) {
    exit_status = close_output(files[i].file, paths[i]);
  }
  return exit_status;
}

int export_trace(const ExportOptions& options) {
  if (options.perfetto.empty() && options.chrome.empty() && options.ctf.empty()) {
    return complain(status::usage, "export: say into what: --perfetto FILE, --chrome FILE or --ctf DIR");
  }
  for (const std::string* path : {&options.perfetto, &options.chrome}) {
    if (is_same_file(*path, options.trace)) return can_not_write(*path, "it is the trace itself");
  }
  int exit_status = status::success;
  SymbolTable symbols;
  const auto trace = open_trace(options.trace, exit_status);
  if (!trace || !load_symbols(options.symbols, *trace, symbols, exit_status)) return exit_status;
  TraceReader& reader = trace->reader;
  if (!options.perfetto.empty()) exit_status = export_timeline<PerfettoWriter>(options.perfetto, reader, symbols);
  if (exit_status == status::success && !options.chrome.empty()) {
    exit_status = export_timeline<ChromeWriter>(options.chrome, reader, symbols);
  }
  if (exit_status == status::success && !options.ctf.empty()) exit_status = export_ctf(options.ctf, reader, symbols);
  return exit_status == status::success ? finish_trace(options.trace, reader) : exit_status;
}

}  // namespace

Command add_export_command(CLI::App& parent) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* app = parent.add_subcommand("export", "Convert a trace for Perfetto, Chrome, or tools that read CTF");
  app->add_option("TRACE", options->trace, "A file that `vitrine run --trace` wrote")->required();
  app->add_option("--perfetto", options->perfetto, "For ui.perfetto.dev and trace_processor; - is standard output")
      ->type_name("FILE");
  app->add_option("--chrome", options->chrome, "JSON for chrome://tracing and its like; - is standard output")
      ->type_name("FILE");
  app->add_option("--ctf", options->ctf, "Common Trace Format with LTTng's kernel events; a new or empty directory")
      ->type_name("DIR");
  app->add_option("--symbols", options->symbols, "Names for addresses: ELF or System.map; may be given again")
      ->type_name("FILE[@OFFSET]")
      ->allow_extra_args(false);
  app->footer(
      "\nA damaged trace is converted as far as it is good, with status 66. docs/export.md says what becomes what.");
  return {app, [options] { return export_trace(*options); }};
}

}  // namespace vitrine
