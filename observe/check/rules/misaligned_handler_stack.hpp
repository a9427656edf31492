// misaligned-handler-stack: an entry calls compiled 64-bit code with a stack that is not aligned to 16 bytes.
//
// Judged only where it can do harm: the code that is called has an aligned SSE access relative to its stack (warning),
// or such an access has faulted (error).
#pragma once

#include <map>
#include <set>

#include "observe/check/live_frames.hpp"
#include "observe/check/rule.hpp"

namespace vitrine {

class MisalignedHandlerStack final : public Rule {
 public:
  using Rule::Rule;
  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) override;
  void returning(const Cpu& cpu, const ProbedReturn& iret) override;
  void returned(const Cpu& cpu, const ProbedReturn& iret) override;
  void finish(const RunEnd& end) override;

 private:
  /// What the code behind an entry says: its first CALL and an aligned access in what that calls.
  struct Verdict {
    u64 call = 0;    ///< the CALL with a misaligned stack; 0: there is none that is certain
    u64 access = 0;  ///< 0: there is none
  };
  struct Nothing {};
  using Frame = LiveFrames<Nothing>::Frame;

  const Verdict& verdict_of(const Cpu& cpu);
  void judge_fault(const Cpu& cpu, const ProbedDelivery& fault);
  void warn(const Frame& frame);

  static constexpr std::size_t most_known = 4096;
  std::map<u64, Verdict> known_;  ///< by the entry's first instruction
  std::set<u64> reported_;        ///< entries with an error
  LiveFrames<Nothing> frames_;
  u64 leaving_ = 0;
};

}  // namespace vitrine
