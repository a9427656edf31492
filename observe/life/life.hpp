// The whole life of each interrupt: the ledger's records, put together by request.
//
// Reads records in order. Bounded: keeps the lives that are open, and the last few that ended on each line and vector.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "observe/symboliser.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

/// One request, exception or INT n: its records in order. Threads that it woke, and what they ran, are among them.
struct Life {
  u64 id = 0;
  std::vector<Record> records;  ///< at most most_records; the first ones are kept, and the last
  bool closed = false;          ///< returned, withdrawn, polled away or merged: nothing more is expected
  static constexpr std::size_t most_records = 64;

  /// The first (or last) record of a kind; null if there is none.
  [[nodiscard]] const Record* first(RecordKind kind) const;
  [[nodiscard]] const Record* last(RecordKind kind) const;
};

class LifeTracker {
 public:
  void consume(const Record& record);
  /// Null if it is not known (any more). Valid until the next consume().
  [[nodiscard]] const Life* find(u64 id) const;
  /// The innermost request whose handler runs on this CPU now; 0: none.
  [[nodiscard]] u64 running(u8 cpu) const;
  /// Requests that are open, in order of id.
  [[nodiscard]] std::vector<const Life*> open() const;
};

/// A life as a staircase of lines for people: when, how long since the step before, where, what happened.
/// `lines` start with `indent`.
[[nodiscard]] std::string life_text(const Life& life, const TraceHeader& header, const Symboliser* symbols,
                                    std::string_view indent = "");

}  // namespace vitrine
