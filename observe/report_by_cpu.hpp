// How often each CPU took each interrupt: the rows of Linux's /proc/interrupts.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/types.hpp"

namespace vitrine {

/// Where an interrupt comes from, as far as a kernel can tell them apart. Values are the order of the rows.
enum class InterruptOrigin : u8 {
  Line,            ///< a pin of the 8259s or of an I/O APIC
  Message,         ///< MSI or MSI-X of a device
  LocalApic,       ///< the local APIC's own: timer, LINT, thermal, performance counter, error
  Interprocessor,  ///< IPI
  Nmi,
  Spurious,
  Unknown,
};

/// One source of interrupts, and how often each CPU entered its handler.
struct CpuCountRow {
  InterruptOrigin origin{};
  int irq = -1;      ///< Line: 0..15, or the I/O APIC's pin from 16 on
  int message = -1;  ///< Message: its number in the device, whichever vectors a kernel has given it one after another
  std::string name;  ///< "pit", "local timer", "IPI"; several devices of a line with commas
  std::vector<u8> vectors;
  std::vector<u64> counts;  ///< by CPU; as many as the machine has CPUs
  [[nodiscard]] u64 total() const;
};

class CpuCounts {
 public:
  struct Row {
    std::set<std::string> names;
    std::set<u8> vectors;
    std::vector<u64> counts;
    void add(u8 cpu) {
      if (counts.size() <= cpu) counts.resize(std::size_t{cpu} + 1);
      ++counts[cpu];
    }
  };
  /// The row that such interrupts count in, for as long as this lives; null if there are too many rows. `number`: what
  /// tells rows of the same origin apart: the line; the number of a message; the vector of an IPI; the ApicPin.
  Row* row(InterruptOrigin origin, u32 number, const std::string& name, u8 vector);
  /// `cpus`: at least as many columns.
  [[nodiscard]] std::vector<CpuCountRow> rows(unsigned cpus) const;

 private:
  static constexpr std::size_t most_rows = 4096;  // only a damaged trace has more
  struct Key {
    InterruptOrigin origin{};
    u32 number = 0;
    std::string name;  // Message only: each device counts its own from 0
    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, Row> rows_;
};

}  // namespace vitrine
