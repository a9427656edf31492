// Instructions that give RSP a new value: a probe is told of the other stack.
#pragma once

#include "machine/cpu/integer.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

/// With a probe: an instruction that loads RSP.
template <auto Function>
Outcome tell_stack_load(Cpu& cpu, const Operation& operation) {
  const u64 old = cpu.state.gpr[rsp];
  const Outcome outcome = Function(cpu, operation);
  if (outcome == Outcome::Next && cpu.probe != nullptr) tell_stack_switched(cpu, operation, old);
  return outcome;
}

inline bool is_stack_pointer(const Decoded& decoded, unsigned operand) {
  if (!decoded.reg(operand)) return false;
  const ZydisRegister reg = decoded.operands[operand].reg.value;
  return reg == ZYDIS_REGISTER_RSP || reg == ZYDIS_REGISTER_ESP || reg == ZYDIS_REGISTER_SP;
}

}  // namespace vitrine
