// fpu-state-lost: a handler of an asynchronous interrupt returns with other x87 or SSE state than it found.
//
// A program's state must be whole when it goes on. The kernel's own code seldom uses these registers, and kernels may
// use them in handlers on the understanding that a program's state is put back on the way to it; so a change that meets
// the kernel counts only if the interrupted code goes on to read what was changed.
#pragma once

#include <optional>

#include "observe/check/code_walk.hpp"
#include "observe/check/frame_rule.hpp"

namespace vitrine {

struct KeptFpuState {
  FpuState state;
  bool owned = false;  ///< the registers belong to the interrupted code: CR0.TS and CR0.EM are clear
};

class FpuStateLost final : public FrameRule<KeptFpuState> {
 public:
  using FrameRule::FrameRule;

 private:
  enum class Part : u8 { Vector, X87, Mxcsr };
  struct Change {
    Part part{};
    u8 number = 0;           ///< of the XMM register
    std::optional<u64> use;  ///< the instruction that reads it next
  };

  void entered(const Cpu& cpu, Frame& frame) override;
  void given_back(const Cpu& cpu, const ProbedReturn& iret, Frame& frame) override;
  [[nodiscard]] static std::optional<Change> find_change(const Cpu& cpu, const FpuState& before);
  void report(const Cpu& cpu, const ProbedReturn& iret, const Frame& frame, const Change& change);
};

}  // namespace vitrine
