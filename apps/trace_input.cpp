#include "apps/trace_input.hpp"

#include <algorithm>
#include <iterator>

#include "apps/status.hpp"
#include "apps/values.hpp"
#include "host/file.hpp"
#include "observe/names.hpp"

namespace vitrine {

namespace {
constexpr u64 largest_file = u64{16} << 30;

class FileSource final : public ByteSource {
 public:
  explicit FileSource(InputFile file) : file_(std::move(file)) {}
  [[nodiscard]] u64 size() const override { return file_.size(); }
  std::span<const u8> read(u64 offset, std::size_t count) override { return file_.read(offset, count); }

 private:
  InputFile file_;
};

}  // namespace

bool load_symbols(const std::vector<std::string>& arguments, SymbolTable& table, int& exit_status) {
  for (const std::string& argument : arguments) {
    const SymbolFile file = parse_symbol_file(argument);
    auto contents = read_file(file.path, largest_file);
    if (!contents) {
      exit_status = complain(status::no_input,
                             fmt::format("can't read the symbols in '{}': {}{}", file.path, contents.error().clause,
                                         file.path.contains('@') ? " (what is after @ must be a number)" : ""));
      return false;
    }
    if (const auto added = table.add(std::move(*contents), file.offset); !added) {
      exit_status = complain(status::no_input,
                             fmt::format("can't use the symbols in '{}': {}", file.path, describe(added.error())));
      return false;
    }
  }
  return true;
}

bool load_symbols(const std::vector<std::string>& arguments, const OpenTrace& trace, SymbolTable& table,
                  int& exit_status) {
  if (const std::string_view names = trace.reader.symbols(); arguments.empty() && !names.empty()) {
    // A trace whose names nobody can read is still a trace.
    [[maybe_unused]] const auto added = table.add({names.begin(), names.end()}, 0);
  }
  // As `vitrine run` does: a guest that has symbols of its own needs no --symbols.
  if (arguments.empty() && table.empty()) {
    constexpr u8 elf_magic[] = {0x7F, 'E', 'L', 'F'};
    auto guest = read_file(trace.reader.header().guest, largest_file);
    if (guest && guest->size() >= sizeof elf_magic &&
        std::equal(std::begin(elf_magic), std::end(elf_magic), guest->begin())) {
      [[maybe_unused]] const auto added = table.add(std::move(*guest), 0);
    }
  }
  return load_symbols(arguments, table, exit_status);
}

std::unique_ptr<OpenTrace> open_trace(const std::string& path, int& exit_status) {
  auto file = InputFile::open(path);
  if (!file) {
    exit_status = complain(status::no_input, fmt::format("can't read the trace '{}': {}", path, file.error().clause));
    return nullptr;
  }
  auto reader = TraceReader::open(std::make_unique<FileSource>(std::move(*file)));
  if (!reader) {
    exit_status =
        complain(status::no_input,
                 fmt::format("can't read '{}': {}{}", path, describe(reader.error()),
                             reader.error() == TraceError::NotATrace ? "; `vitrine run --trace FILE` writes one" : ""));
    return nullptr;
  }
  return std::make_unique<OpenTrace>(OpenTrace{std::move(*reader)});
}

int finish_trace(const std::string& path, const TraceReader& reader) {
  if (reader.error() == TraceError::None) return status::success;
  return complain(status::no_input,
                  fmt::format("the trace '{}' is not whole: {} (at byte {}); {} before that {} good", path,
                              describe(reader.error()), reader.error_offset(), counted(reader.records_read(), "record"),
                              reader.records_read() == 1 ? "is" : "are"));
}

int close_output(OutputFile& output, const std::string& path) {
  if (output.close() || output.reader_left()) return status::success;
  return complain(status::internal,
                  fmt::format("can't write to {}: {}", path == "-" ? "standard output" : fmt::format("'{}'", path),
                              output.error()));
}

int print_result(std::string_view text) {
  OutputFile output = OutputFile::standard_output();
  output.write(text);
  return close_output(output);
}

}  // namespace vitrine
