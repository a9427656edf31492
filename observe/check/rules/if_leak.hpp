// if-leak: a thread that gave up the CPU with interrupts on goes on with them off, or the other way round.
#pragma once

#include <optional>
#include <vector>

#include "observe/check/rule.hpp"

namespace vitrine {

class IfLeakRule final : public Rule {
 public:
  using Rule::Rule;
  static RuleMaker maker();

  void stack_switched(const Cpu& cpu, u64 instruction, u64 from, u64 to) override;
  void interrupts_enabled(const Cpu& cpu, u64 instruction) override;
  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) override;
  void returned(const Cpu& cpu, const ProbedReturn& iret) override;
  void left_kernel(const Cpu& cpu, u64 instruction) override;
  void looked(const Cpu& cpu) override;
  [[nodiscard]] bool wants_interrupt_flag() const override { return resumed_.has_value(); }

 private:
  /// A stack that was left, by its pointer.
  struct Left {
    u64 stack = 0;
    u64 instruction = 0;
    u64 time = 0;
    bool enabled = false;  ///< IF
  };
  /// It goes on, and IF is not what it was.
  struct Resumed {
    Left left;
    u64 instruction = 0;
    u64 instructions = 0;
    u64 time = 0;
  };

  void judge(const Cpu& cpu);

  std::vector<Left> left_;
  std::optional<Resumed> resumed_;
};

}  // namespace vitrine
