// unremapped-pic: interrupts let in while an 8259's vectors lie among the exceptions.
#pragma once

#include <array>

#include "observe/check/rule.hpp"
#include "observe/check/rules/pic_tracker.hpp"

namespace vitrine {

class UnremappedPic final : public Rule {
 public:
  explicit UnremappedPic(const RuleContext& context) : Rule(context), pics_(context.header) {}

  [[nodiscard]] RecordKinds record_kinds() const override {
    return PicTracker::kinds | record_kinds_of(RecordKind::Delivered, RecordKind::InterruptsOff);
  }
  void consume(const Record& record) override;
  void interrupts_enabled(const Cpu& cpu, u64 instruction) override;
  [[nodiscard]] bool wants_interrupt_flag() const override {
    return exposed(PicTracker::first) || exposed(PicTracker::second);
  }
  void finish(const RunEnd& end) override;

 private:
  /// IF became 1 while a chip could send one of the exceptions' vectors.
  struct Opening {
    u64 address = 0;
    u64 time = 0;
    u64 instructions = 0;
    u8 vector_base = 0;
    u64 vector_base_by = 0;
    bool seen = false;
  };

  [[nodiscard]] bool exposed(u8 chip) const;
  void opened(u64 address, u64 time, u64 instructions);
  void delivered_as_exception(const Record& record);

  PicTracker pics_;
  std::array<Opening, 2> openings_;  // the first one of each chip, until it is known what came of it
  std::array<bool, 2> arrived_{};    // and something did
  u64 last_enabled_by_ = 0;          // the instruction that set IF
};

}  // namespace vitrine
