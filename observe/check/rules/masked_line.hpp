// masked-line: a request waits behind a mask bit, and the guest looks as if it meant to get it.
#pragma once

#include <array>

#include "observe/check/rule.hpp"
#include "observe/check/rules/pic_tracker.hpp"

namespace vitrine {

class MaskedLine final : public Rule {
 public:
  static constexpr u64 patience = 1'000'000'000;        ///< T_MASKED, ns
  static constexpr u64 cascade_patience = 100'000'000;  ///< for a request of the second 8259 behind IR2, ns

  explicit MaskedLine(const RuleContext& context) : Rule(context), pics_(context.header) {}

  [[nodiscard]] RecordKinds record_kinds() const override {
    return PicTracker::kinds | record_kinds_of(RecordKind::Attended, RecordKind::Halted);
  }
  void consume(const Record& record) override;
  void looked(const Cpu& cpu) override;
  void finish(const RunEnd& end) override;

 private:
  struct Line {
    bool was_open = false;  // by the guest's own OCW1
    u64 waits_since = 0;    // the first request since the mask bit was set; 0: none
    u64 instructions = 0;   // at that moment
    u64 id = 0;
    bool is_polled = false;  // the guest has attended to the device since
    bool reported = false;
  };

  void note_mask(const Record& record, u8 chip);
  void note_request(u8 line, const Record& record);
  void judge(u64 time, bool for_ever);
  void judge_cascade(u64 time, bool for_ever);
  void report(u8 line);

  bool io_apic_in_use_ = false;  // lines come another way
  PicTracker pics_;
  std::array<Line, 16> lines_;
  struct Moment {
    u64 time = 0, instructions = 0;
  };
  std::array<Moment, 8> cascade_since_;  // by pin of the second 8259: it waits behind the mask of IR2 since then
  std::array<bool, 8> cascade_reported_{};
  u64 next_look_ = 0;
};

}  // namespace vitrine
