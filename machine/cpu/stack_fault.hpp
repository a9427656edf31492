// Faults of the stack that an instruction uses beside its own operand.
#pragma once

#include "machine/cpu/cpu.hpp"

namespace vitrine {

/// To be called when a push or pop has failed. Faulting on an address that is not canonical is #SS then, whatever the
/// segment of the instruction's own operand is (SDM vol. 1 §3.3.7.1).
inline Outcome stack_refused(Cpu& cpu) {
  if (cpu.leave == Leave::Fault && cpu.fault.check == FailedCheck::NonCanonical) {
    cpu.fault.vector = vector::stack_fault;
  }
  return Outcome::Fault;
}

}  // namespace vitrine
