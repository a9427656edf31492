// eoi-wrong-controller, and missing-eoi as far as local APICs go: what becomes of an interrupt that a local APIC waits
// for the end of, and of an EOI that went to a controller which had nothing in service.
#pragma once

#include <vector>

#include "observe/check/rule.hpp"

namespace vitrine {

class ApicEnds final : public Rule {
 public:
  using Rule::Rule;
  static RuleMaker maker();

  [[nodiscard]] RecordKinds record_kinds() const override {
    return record_kinds_of(RecordKind::EndOfInterrupt, RecordKind::Returned, RecordKind::Blocked,
                           RecordKind::Delivered);
  }
  void consume(const Record& record) override;
  void looked(const Cpu& cpu) override;
  void finish(const RunEnd& end) override;

 private:
  static constexpr u64 patience = 10'000'000;  // T_BLOCKED, ns
  static constexpr std::size_t most = 64;

  /// An EOI that ended nothing, while the handler of `id` ran.
  struct Misdirected {
    u64 id = 0;
    u64 address = 0;
    u16 controller = 0;
  };
  /// Its handler has returned, and the controller still waits for the EOI.
  struct Unended {
    u64 id = 0;
    u64 handler = 0;
    u64 left_by = 0, left_at = 0, instructions = 0;
    u8 vector = 0;
    u16 controller = 0;
    u64 blocked_at = 0, blocked_id = 0;  // who waits behind it, since when; 0: nobody
    Misdirected wrong;                   // id 0: none
  };

  void ended(const Record& record);
  void left(const Record& record);
  void judge(u64 time, bool for_ever);
  void report(const Unended& unended, FindingSeverity severity);
  [[nodiscard]] std::string name(u16 source) const;

  std::vector<Misdirected> misdirected_;
  std::vector<Unended> unended_;
};

}  // namespace vitrine
