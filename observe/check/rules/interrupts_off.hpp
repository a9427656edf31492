// interrupts-off-too-long: a request waits for the CPU, which has IF=0.
#pragma once

#include "observe/check/rule.hpp"
#include "observe/check/rules/pic_tracker.hpp"

namespace vitrine {

class InterruptsOffTooLong final : public Rule {
 public:
  static constexpr u64 long_enough = 1'000'000;      ///< T_IF_WARN, ns
  static constexpr u64 much_too_long = 100'000'000;  ///< T_IF_ERROR, ns

  explicit InterruptsOffTooLong(const RuleContext& context) : Rule(context), pics_(context.header) {}

  [[nodiscard]] RecordKinds record_kinds() const override {
    return PicTracker::kinds | record_kinds_of(RecordKind::Blocked, RecordKind::InterruptsOff, RecordKind::Delivered,
                                               RecordKind::Halted, RecordKind::ThreadRuns,
                                               RecordKind::DeviceProgrammed);
  }
  void consume(const Record& record) override;
  void stack_switched(const Cpu& cpu, u64 instruction, u64 from, u64 to) override;
  void finish(const RunEnd& end) override;

 private:
  /// A stretch with IF=0 in which a request waits.
  struct Stretch {
    bool open = false;
    u64 since = 0;  // IF=0
    u64 cleared_by = 0;
    u64 waits_since = 0;
    u64 id = 0;
    int line = -1;
    u64 switched_at = 0;  // the instruction that changed stacks, or ran another thread
    bool calibrates = false;
  };

  void blocked(const Record& record);
  void end_stretch(u64 time, u64 set_by);

  PicTracker pics_;
  Stretch stretch_;
  Record entry_;  // the last delivery: did its gate clear IF?
};

}  // namespace vitrine
