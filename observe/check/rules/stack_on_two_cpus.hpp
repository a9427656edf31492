// stack-on-two-cpus: a thread goes on on one CPU before the CPU that ran it has left its stack.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "observe/check/rule.hpp"

namespace vitrine {

class StackOnTwoCpus final : public Rule {
 public:
  using Rule::Rule;
  static RuleMaker maker();

  [[nodiscard]] RecordKinds record_kinds() const override {
    return record_kinds_of(RecordKind::CpuReset, RecordKind::CpuStarted);
  }
  void consume(const Record& record) override;
  void stack_switched(const Cpu& cpu, u64 instruction, u64 from, u64 to) override;

 private:
  static constexpr u64 same_stack = 4096;  // bytes
  static constexpr u64 same_place = 128;
  static constexpr std::size_t most_suspected = 64;

  /// The stack that a CPU has been on since its last switch.
  struct Resident {
    u64 stack = 0;
    u64 cr3 = 0;
  };
  /// `taker` has loaded the stack pointer that `owner` may just have saved, and not left yet.
  struct Suspicion {
    u8 owner = 0, taker = 0;
    u64 stack = 0, instruction = 0, time = 0, instructions = 0;
  };

  std::map<u8, Resident> residents_;
  std::vector<Suspicion> suspicions_;
};

}  // namespace vitrine
