// The guest's interrupt descriptor table as it stands in memory now, checked as a delivery would check it.
#pragma once

#include <string_view>

#include "machine/cpu/cpu.hpp"

namespace vitrine {

enum class GateProblem : u8 {
  None,
  PastLimit,
  Unreadable,  ///< the entry's page is not mapped
  NotPresent,
  WrongType,    ///< no interrupt, trap or task gate of this mode
  BadSelector,  ///< null, past the GDT's limit, or no code segment that is present and fits the mode
  BadTarget,    ///< the handler's address is not canonical or not mapped
};

struct GateView {
  GateProblem problem = GateProblem::None;
  u64 target = 0;  ///< linear; 0 where it can't be told (task gates)
  bool trap_gate = false;
};

/// In protected mode only.
[[nodiscard]] GateView view_gate(const Cpu& cpu, u8 vector);
/// Bytes of an entry: 16 in long mode, 8 in protected mode.
[[nodiscard]] unsigned gate_bytes(const Cpu& cpu);
/// The problem as a clause about the gate: "is not present".
[[nodiscard]] std::string_view problem_clause(GateProblem problem);

}  // namespace vitrine
