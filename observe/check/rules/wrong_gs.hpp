// wrong-gs: kernel code uses GS while it still, or again, holds the program's base; or leaves the wrong one behind.
//
// What the program's base is, is seen when code at privilege 3 enters the kernel. Nothing is said of kernels that have
// not executed SWAPGS.
#pragma once

#include <optional>

#include "observe/check/live_frames.hpp"
#include "observe/check/rule.hpp"

namespace vitrine {

class WrongGs final : public Rule {
 public:
  using Rule::Rule;
  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) override;
  void entered_kernel(const Cpu& cpu, u64 instruction) override;
  void returning(const Cpu& cpu, const ProbedReturn& iret) override;
  void returned(const Cpu& cpu, const ProbedReturn& iret) override;
  void left_kernel(const Cpu& cpu, u64 instruction) override;
  void gs_changed(const Cpu& cpu, u64 instruction, CpuProbe::GsChange change) override;
  void gs_used(const Cpu& cpu, u64 instruction) override;
  [[nodiscard]] bool wants_gs_use() const override { return swapped_ != 0 && user_base_active_; }

 private:
  struct Kept {
    u64 base = 0;  ///< of GS at the delivery
  };
  /// How privilege 3 was left last.
  struct Entry {
    u64 address = 0;  ///< the first instruction in the kernel
    u64 request = 0;  ///< 0: SYSCALL or SYSENTER
    int vector = -1;
  };

  void came_from_user(const Cpu& cpu, const Entry& entry);
  void check_exit(const Cpu& cpu, u64 instruction);
  /// Both halves of the pair are told apart by their values only.
  [[nodiscard]] bool holds_user_base(const Cpu& cpu) const;

  u64 swapped_ = 0;  ///< the last SWAPGS; 0: there was none
  std::optional<u64> user_base_;
  std::optional<u64> kernel_base_;  ///< what a SWAPGS has put in the place of user_base_
  bool user_base_active_ = false;
  Entry entry_;
  LiveFrames<Kept> frames_;
  u64 leaving_ = 0;
};

}  // namespace vitrine
