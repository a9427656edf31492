// For tests: all that a machine's ledger has said.
#pragma once

#include <span>
#include <vector>

#include "machine/boards/machine.hpp"

namespace vitrine {

struct MachineRecords final : LedgerSink {
  void consume(std::span<const Record> more) override { records.insert(records.end(), more.begin(), more.end()); }
  /// Those of one kind, of the machine that this is attached to.
  [[nodiscard]] std::vector<Record> of(Machine& machine, RecordKind kind) const {
    machine.ledger().flush();
    std::vector<Record> found;
    for (const Record& record : records) {
      if (record.kind == kind) found.push_back(record);
    }
    return found;
  }
  std::vector<Record> records;
};

}  // namespace vitrine
