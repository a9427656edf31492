// timer-rate: more interrupts than work gets done between.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "observe/check/rule.hpp"

namespace vitrine {

class TimerRate final : public Rule {
 public:
  static constexpr u64 rate_window = 1'000'000'000;  ///< ns
  static constexpr u64 most_in_window = 20'000;      ///< RATE_MAX
  static constexpr u64 share_window = 100'000'000;   ///< ns
  static constexpr u64 most_of_window = 50'000'000;  ///< SHARE_MAX, ns
  static constexpr u64 ticks_for_share = 50;         ///< in the window: fewer are one long handler, not a rate

  explicit TimerRate(const RuleContext& context) : Rule(context) {}

  [[nodiscard]] RecordKinds record_kinds() const override {
    return record_kinds_of(RecordKind::Delivered, RecordKind::Returned, RecordKind::Halted, RecordKind::ThreadRuns,
                           RecordKind::DeviceProgrammed);
  }
  void consume(const Record& record) override;
  void finish(const RunEnd& end) override;

 private:
  struct Line {
    u64 window_from = 0;
    u64 count = 0;  // deliveries in this window
    u64 share_from = 0;
    u64 share_count = 0;
    u64 in_handler = 0;     // ns of the share's window
    u64 handler = 0;        // its first instruction
    bool too_fast = false;  // told
  };
  /// A handler that so far nothing has come between.
  struct Running {
    u64 frame = 0;
    u64 since = 0;
    int line = -1;
  };
  /// What the guest has programmed into a timer.
  struct Programmed {
    u64 value = 0;
    u64 address = 0;
    u64 mode = 0;
  };

  void entered(const Record& record);
  void left(const Record& record);
  void programmed(const Record& record);
  [[nodiscard]] std::optional<u64> implied_millihertz(int line) const;
  void explain(Finding& finding) const;

  std::array<Line, 16> lines_;
  Running running_;
  u64 returned_instructions_ = 0;  // when the last handler was left
  Programmed pit_, rtc_;
};

}  // namespace vitrine
