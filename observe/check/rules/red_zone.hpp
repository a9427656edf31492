// red-zone: kernel code keeps data below its stack pointer, where the CPU pushes frames.
#pragma once

#include <map>

#include "observe/check/frame_rule.hpp"

namespace vitrine {

/// The 128 bytes below the stack pointer (System V ABI, AMD64 supplement, §3.2.2).
struct KeptRedZone {
  static constexpr unsigned size = 128;
  std::array<u8, size> bytes{};
  bool armed = false;
};

class RedZone final : public FrameRule<KeptRedZone> {
 public:
  using FrameRule::FrameRule;

 private:
  /// An operand below RSP, or at an offset from RBP, that is read before the code writes it.
  struct Read {
    u64 instruction = 0;
    u8 base = 0;  ///< rsp or rbp
    i64 displacement = 0;
    u8 size = 0;
  };

  void entered(const Cpu& cpu, Frame& frame) override;
  void given_back(const Cpu& cpu, const ProbedReturn& iret, Frame& frame) override;
  /// What the code from `rip` on reads. Remembered for each address.
  const std::vector<Read>& reads_from(const Cpu& cpu, u64 rip);

  static constexpr std::size_t most_known = 4096;
  std::map<u64, std::vector<Read>> known_;
};

}  // namespace vitrine
