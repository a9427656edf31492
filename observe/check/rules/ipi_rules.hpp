// ipi-deadlock and bad-ipi: messages between CPUs that nobody takes, or that their receiver will never take because it
// waits for their sender.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "observe/check/rule.hpp"

namespace vitrine {

class IpiRules final : public Rule {
 public:
  using Rule::Rule;
  static RuleMaker maker();

  [[nodiscard]] RecordKinds record_kinds() const override {
    return record_kinds_of(RecordKind::MessageSent, RecordKind::Copied, RecordKind::Latched, RecordKind::Acknowledged,
                           RecordKind::Withdrawn, RecordKind::MessageLost, RecordKind::Halted, RecordKind::Woken,
                           RecordKind::CpuReset);
  }
  void consume(const Record& record) override;
  void looked(const Cpu& cpu) override;

 private:
  static constexpr u64 loop_size = 256;  // bytes
  static constexpr unsigned enough_looks = 16;
  static constexpr std::size_t longest_loop = 32;  // instructions
  static constexpr std::size_t most_pending = 256;

  /// An IPI that is in a CPU's IRR.
  struct Pending {
    u64 id = 0;
    u64 sent_by = 0;  // address
    u64 since = 0;
    u8 sender = 0, receiver = 0, vector = 0;
    bool accepted = false, reported = false;
  };
  /// Where a CPU goes round.
  struct Spin {
    u64 lowest = 0, highest = 0, last = 0, since = 0;
    unsigned looks = 0;
    bool halted = false, deaf = false;
    bool waits = false;  // the kernel, for a word in memory
    u64 cleared_by = 0;  // IF
  };

  void message_lost(const Record& record);
  [[nodiscard]] bool spins(u8 cpu, u64 now) const;
  void report(Pending& pending, u64 now);
  Pending* find(u64 id);

  std::vector<Pending> pending_;
  std::map<u8, Spin> spins_;
};

}  // namespace vitrine
