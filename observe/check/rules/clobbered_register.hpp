// clobbered-register: a handler of an asynchronous interrupt returns with other registers than it found.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "observe/check/frame_rule.hpp"

namespace vitrine {

struct KeptRegisters {
  std::array<u64, 16> general{};   ///< by RegisterSlot
  std::array<u16, 4> selectors{};  ///< DS, ES, FS, GS
  u64 fs_base = 0, gs_base = 0;
};

class ClobberedRegister final : public FrameRule<KeptRegisters> {
 public:
  using FrameRule::FrameRule;

 private:
  struct Change {
    std::string name;
    u64 before = 0, after = 0;
    std::optional<u8> general;  ///< RegisterSlot, if it is a general register
  };

  void entered(const Cpu& cpu, Frame& frame) override;
  void given_back(const Cpu& cpu, const ProbedReturn& iret, Frame& frame) override;
  [[nodiscard]] static std::vector<Change> changes(const Cpu& cpu, const KeptRegisters& before);
};

}  // namespace vitrine
