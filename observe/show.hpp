// `vitrine show`: the records of a trace, one readable line each, and the filter that picks them.
#pragma once

#include <optional>
#include <string>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "observe/symboliser.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

/// What to list. A member that is not set lets everything pass.
struct ShowFilter {
  std::optional<u32> line;
  std::optional<u8> vector;
  std::optional<std::string> source;
  std::optional<u64> from, to;  ///< virtual nanoseconds, both included
  std::optional<u64> id;
};

/// Decides record by record; remembers the requests of a line or source, so that a filter by one shows their whole
/// life.
class ShowSelector {
 public:
  ShowSelector(const ShowFilter& filter, const TraceHeader& header);
  [[nodiscard]] bool selects(const Record& record);

 private:
  ShowFilter filter_;
  const TraceHeader* header_;
  /// The last request seen on each line, by request id modulo the size: enough for all that are in flight.
  struct Known {
    u64 id = 0;
    u8 line = 0;
    u16 source = 0;
  };
  std::vector<Known> known_;
};

/// "0.001234567  #17 keyboard raises IRQ 1". No newline at the end.
[[nodiscard]] std::string show_line(const Record& record, const TraceHeader& header, const Symboliser* symbols);
/// The same as one JSON object on one line; fields that the kind does not use are left out.
[[nodiscard]] std::string show_json(const Record& record, const TraceHeader& header, const Symboliser* symbols);

}  // namespace vitrine
