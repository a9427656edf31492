// frame-layout: IRET finds the stack pointer beside the frame, or pops words of another size.
#pragma once

#include "observe/check/live_frames.hpp"
#include "observe/check/rule.hpp"

namespace vitrine {

class FrameLayout final : public Rule {
 public:
  using Rule::Rule;
  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) override;
  void returning(const Cpu& cpu, const ProbedReturn& iret) override;
  void returned(const Cpu& cpu, const ProbedReturn& iret) override;

 private:
  struct Nothing {};
  using Frame = LiveFrames<Nothing>::Frame;

  void check_size(const Cpu& cpu, const ProbedReturn& iret, const Frame& frame);
  void check_shift(const Cpu& cpu, const ProbedReturn& iret, const Frame& frame);
  void report(const ProbedReturn& iret, const Frame& frame, std::string sentence, std::vector<std::string> evidence);

  LiveFrames<Nothing> frames_;
  u64 leaving_ = 0;  ///< address of the frame that the IRET at hand leaves; 0: none
};

}  // namespace vitrine
