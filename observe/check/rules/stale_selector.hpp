// stale-selector: a frame holds a selector that the GDT, loaded again since, no longer has.
#pragma once

#include "machine/cpu/fault_chain.hpp"
#include "observe/check/live_frames.hpp"
#include "observe/check/rule.hpp"

namespace vitrine {

class StaleSelector final : public Rule {
 public:
  using Rule::Rule;
  void table_loaded(const Cpu& cpu, ProbedTable table, u64 instruction) override;
  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) override;
  void returning(const Cpu& cpu, const ProbedReturn& iret) override;
  void returned(const Cpu& cpu, const ProbedReturn& iret) override;
  void finish(const RunEnd& end) override;

 private:
  /// The first selector of a frame that can't be loaded, and why.
  struct Stale {
    FailedCheck check = FailedCheck::None;
    u16 selector = 0;
    bool code = false;
  };
  using Frame = LiveFrames<Stale>::Frame;
  struct Leaving {
    u64 frame = 0;  ///< 0: no frame that is known
    u64 instruction = 0;
    bool unedited = false;
  };

  [[nodiscard]] static Stale find_stale(const Cpu& cpu, const ProbedDelivery& delivery);
  void judge_fault(const Cpu& cpu, const ProbedDelivery& fault);
  void report(FindingSeverity severity, const Frame& frame, const Stale& stale, u64 iret);

  u64 lgdt_ = 0;  ///< the last LGDT; 0: none was seen
  LiveFrames<Stale> frames_;
  Leaving leaving_;
};

}  // namespace vitrine
