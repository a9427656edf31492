// The addresses of code that a run's records mention, for a trace that carries names of its own.
#pragma once

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "machine/core/ledger.hpp"

namespace vitrine {

class SeenAddresses final : public LedgerSink {
 public:
  void consume(std::span<const Record> records) override {
    for (const Record& record : records) {
      add(record.address);
      add(record.other);
    }
  }
  /// Ascending.
  [[nodiscard]] std::vector<u64> all() const {
    std::vector<u64> sorted(seen_.begin(), seen_.end());
    std::ranges::sort(sorted);
    return sorted;
  }

 private:
  static constexpr std::size_t most = std::size_t{1} << 20;
  static constexpr u64 smallest = 0x10000;  ///< below: ids, numbers of threads, masks
  void add(u64 address) {
    if (address >= smallest && address != last_ && seen_.size() < most) seen_.insert(last_ = address);
  }
  std::unordered_set<u64> seen_;  // sorted before anybody sees it
  u64 last_ = 0;
};

}  // namespace vitrine
