// INT n, INT3, INT1, INTO, BOUND and the opcodes that are undefined on purpose (SDM vol. 2).
#include "machine/cpu/instructions_system.hpp"

namespace vitrine {

Outcome interrupt(Cpu& cpu, const Operation& operation) {
  return cpu.software_interrupt(static_cast<u8>(operation.immediate), following_rip(cpu, operation), operation);
}

Outcome interrupt_breakpoint(Cpu& cpu, const Operation& operation) {
  return cpu.software_interrupt(vector::breakpoint, following_rip(cpu, operation), operation);
}

Outcome interrupt_debug(Cpu& cpu, const Operation& operation) {
  return cpu.software_interrupt(vector::debug, following_rip(cpu, operation), operation);
}

Outcome interrupt_overflow(Cpu& cpu, const Operation& operation) {
  if ((cpu.state.flags() & flag::overflow) == 0) return Outcome::Next;
  return cpu.software_interrupt(vector::overflow, following_rip(cpu, operation), operation);
}

template <class T>
Outcome check_bounds(Cpu& cpu, const Operation& operation) {
  // m16&16, m32&32: lower bound, then upper bound, both signed and included.
  using Signed = std::make_signed_t<T>;
  const u64 offset = effective_address<Address::General>(cpu, operation);
  u64 linear;
  T lower;
  T upper;
  if (!segment_to_linear(cpu, static_cast<SegmentIndex>(operation.segment), offset, 2 * sizeof(T), Access::Read,
                         linear) ||
      !read_linear(cpu, operation, linear, lower) || !read_linear(cpu, operation, linear + sizeof(T), upper)) {
    return Outcome::Fault;
  }
  const auto value = static_cast<Signed>(read_register<T>(cpu, operation.first));
  if (value < static_cast<Signed>(lower) || value > static_cast<Signed>(upper)) {
    return cpu.raise(vector::bound, FailedCheck::None);
  }
  return Outcome::Next;
}

template Outcome check_bounds<u16>(Cpu&, const Operation&);
template Outcome check_bounds<u32>(Cpu&, const Operation&);

Outcome undefined(Cpu& cpu, const Operation&) { return cpu.raise(vector::undefined_opcode, FailedCheck::Undefined); }

}  // namespace vitrine
