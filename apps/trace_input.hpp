// What the commands that read traces share: the trace, and names for its addresses.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/file.hpp"
#include "observe/symbols.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

/// Reads the files of --symbols. False: it has complained.
[[nodiscard]] bool load_symbols(const std::vector<std::string>& arguments, SymbolTable& table, int& exit_status);

/// Reads the files of --symbols; without any, takes the names that the trace itself carries. False: it has complained.
struct OpenTrace;
[[nodiscard]] bool load_symbols(const std::vector<std::string>& arguments, const OpenTrace& trace, SymbolTable& table,
                                int& exit_status);

/// Opens a trace. Null: it has complained.
struct OpenTrace {
  TraceReader reader;
};
[[nodiscard]] std::unique_ptr<OpenTrace> open_trace(const std::string& path, int& exit_status);

/// After the last record: complains if the trace is damaged. Returns the exit status.
[[nodiscard]] int finish_trace(const std::string& path, const TraceReader& reader);

/// Closes what a command wrote; `path` is its name, - standard output. Complains if it was not written, except when
/// nobody reads the pipe any more (`vitrine show TRACE | head`): they have what they wanted. Returns the exit status.
[[nodiscard]] int close_output(OutputFile& output, const std::string& path = "-");

/// Writes `text` to standard output. Returns the exit status.
[[nodiscard]] int print_result(std::string_view text);

}  // namespace vitrine
