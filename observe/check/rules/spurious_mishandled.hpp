// spurious-mishandled: what a kernel does with vector 7 of an 8259 that had nothing to ask for (any more).
#pragma once

#include <optional>
#include <vector>

#include "observe/check/rule.hpp"
#include "observe/check/rules/pic_tracker.hpp"

namespace vitrine {

class SpuriousMishandled final : public Rule {
 public:
  explicit SpuriousMishandled(const RuleContext& context) : Rule(context), pics_(context.header) {}

  [[nodiscard]] RecordKinds record_kinds() const override {
    return PicTracker::kinds | record_kinds_of(RecordKind::Spurious, RecordKind::Delivered, RecordKind::Returned);
  }
  void consume(const Record& record) override;

 private:
  /// A spurious interrupt whose handler runs.
  struct Running {
    Record spurious;
    u8 chip = 0;
    u64 handler = 0;
    u64 frame = 0;
  };
  static constexpr std::size_t most_running = 16;
  static constexpr u8 local_apic = 2;  // `chip` of what is no 8259

  void entered(const Record& record);
  void left(const Record& record);
  void ended(const Record& record, u8 chip);
  void ended_at_apic(const Record& record);
  [[nodiscard]] Finding finding(const Running& running, FindingSeverity severity, u64 address) const;

  PicTracker pics_;
  std::optional<Record> answered_;  // the acknowledge has found nothing; its delivery follows
  u8 answered_chip_ = 0;
  std::vector<Running> running_;
};

}  // namespace vitrine
