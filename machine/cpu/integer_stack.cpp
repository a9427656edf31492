// PUSH, POP, PUSHA, POPA, ENTER, LEAVE (SDM vol. 2).
#include "machine/cpu/integer.hpp"
#include "machine/cpu/stack_fault.hpp"
#include "machine/cpu/stack_load.hpp"

namespace vitrine {

namespace {

// Quadwords are pushed and popped in 64-bit mode only: there the stack has neither segment nor width.

template <class T>
VITRINE_INLINE bool push_value(Cpu& cpu, const Operation& operation, T value) {
  if constexpr (sizeof(T) != sizeof(u64)) return push(cpu, operation, value);
  const u64 top = cpu.state.gpr[rsp] - sizeof(T);
  if (!write_linear(cpu, operation, top, value)) return false;
  cpu.state.gpr[rsp] = top;
  return true;
}
template <class T>
VITRINE_INLINE bool pop_value(Cpu& cpu, const Operation& operation, T& value) {
  if constexpr (sizeof(T) != sizeof(u64)) return pop(cpu, operation, value);
  if (!read_linear(cpu, operation, cpu.state.gpr[rsp], value)) return false;
  cpu.state.gpr[rsp] += sizeof(T);
  return true;
}

template <class T>
Outcome push_register(Cpu& cpu, const Operation& operation) {
  return push_value<T>(cpu, operation, read_register<T>(cpu, operation.first)) ? Outcome::Next : Outcome::Fault;
}
template <class T>
Outcome push_immediate(Cpu& cpu, const Operation& operation) {
  return push_value<T>(cpu, operation, static_cast<T>(operation.immediate)) ? Outcome::Next : Outcome::Fault;
}
template <class T, Address A>
Outcome push_memory(Cpu& cpu, const Operation& operation) {
  T value;
  if (!read_memory<A>(cpu, operation, value)) return Outcome::Fault;
  return push<T>(cpu, operation, value) ? Outcome::Next : stack_refused(cpu);
}
template <class T>
VITRINE_INLINE Outcome pop_register(Cpu& cpu, const Operation& operation) {
  T value;
  if (!pop_value<T>(cpu, operation, value)) return Outcome::Fault;
  write_register<T>(cpu, operation.first, value);  // POP RSP: the popped value wins
  return Outcome::Next;
}
/// POP m computes its address with RSP already incremented (SDM vol. 2, POP).
template <class T, Address A>
Outcome pop_memory(Cpu& cpu, const Operation& operation) {
  const u64 old = cpu.state.gpr[rsp];
  T value;
  if (!pop<T>(cpu, operation, value)) return stack_refused(cpu);
  if (write_memory<A>(cpu, operation, value)) return Outcome::Next;
  cpu.state.gpr[rsp] = old;
  return Outcome::Fault;
}

template <class T>
Outcome pusha(Cpu& cpu, const Operation& operation) {
  // Highest address first; a fault on the way leaves RSP alone.
  for (unsigned i = 0; i < 8; ++i) {
    if (!write_stack<T>(cpu, operation, -static_cast<i64>((i + 1) * sizeof(T)),
                        read_register<T>(cpu, static_cast<RegisterByte>(i * 8)))) {
      return Outcome::Fault;
    }
  }
  set_stack_pointer(cpu, cpu.state.gpr[rsp] - 8 * sizeof(T));
  return Outcome::Next;
}
template <class T>
Outcome popa(Cpu& cpu, const Operation& operation) {
  T values[8];
  for (unsigned i = 0; i < 8; ++i) {
    if (!read_stack<T>(cpu, operation, static_cast<i64>(i * sizeof(T)), values[i])) return Outcome::Fault;
  }
  for (unsigned i = 0; i < 8; ++i) {
    if (7 - i != rsp) write_register<T>(cpu, static_cast<RegisterByte>((7 - i) * 8), values[i]);
  }
  set_stack_pointer(cpu, cpu.state.gpr[rsp] + 8 * sizeof(T));
  return Outcome::Next;
}

template <class T>
Outcome enter(Cpu& cpu, const Operation& operation) {
  // Operands: size (imm16) then level (imm8); Zydis gives them as two immediates, packed by select.
  const u16 size = static_cast<u16>(operation.immediate);
  const unsigned level = operation.extra & 31;
  const u64 old_rbp = cpu.state.gpr[rbp];
  i64 displacement = -static_cast<i64>(sizeof(T));
  if (!write_stack<T>(cpu, operation, displacement, read_register<T>(cpu, rbp * 8))) return Outcome::Fault;
  // All of ESP, not only what a 16-bit stack uses of it (SDM vol. 2, ENTER: FrameTemp).
  const u64 unused = cpu.mode.has(CodeMode::stack32) || cpu.mode.is64() ? 0 : cpu.state.gpr[rsp] & 0xFFFF0000;
  const T frame = static_cast<T>(unused | stack_offset(cpu, displacement));
  for (unsigned i = 1; i < level; ++i) {
    // The outer frames' pointers are read through the old frame pointer.
    const u64 rsp_copy = cpu.state.gpr[rsp];
    cpu.state.gpr[rsp] = old_rbp - i * sizeof(T);
    T value;
    const bool read = read_stack<T>(cpu, operation, 0, value);
    cpu.state.gpr[rsp] = rsp_copy;
    if (!read) return Outcome::Fault;
    displacement -= static_cast<i64>(sizeof(T));
    if (!write_stack<T>(cpu, operation, displacement, value)) return Outcome::Fault;
  }
  if (level > 0) {
    displacement -= static_cast<i64>(sizeof(T));
    if (!write_stack<T>(cpu, operation, displacement, frame)) return Outcome::Fault;
  }
  // The new top must be writable (SDM vol. 2, ENTER: #PF on the final ESP).
  const u64 new_offset = stack_offset(cpu, displacement - size);
  u64 linear;
  if (!stack_to_linear(cpu, new_offset, 1, Access::Write, linear)) return Outcome::Fault;
  if (!cpu.can_access(&operation, linear, 1, Access::Write)) return Outcome::Fault;
  write_register<T>(cpu, rbp * 8, frame);
  set_stack_pointer(cpu, cpu.state.gpr[rsp] + static_cast<u64>(displacement) - size);
  return Outcome::Next;
}

template <class T>
Outcome leave_frame(Cpu& cpu, const Operation& operation) {
  const u64 old = cpu.state.gpr[rsp];
  set_stack_pointer(cpu, cpu.state.gpr[rbp]);
  T value;
  if (!pop<T>(cpu, operation, value)) {
    cpu.state.gpr[rsp] = old;
    return Outcome::Fault;
  }
  write_register<T>(cpu, rbp * 8, value);
  return Outcome::Next;
}

bool is_segment_register(const Decoded& decoded) {
  return decoded.reg(0) && ZydisRegisterGetClass(decoded.operands[0].reg.value) == ZYDIS_REGCLASS_SEGMENT;
}

Handler select_push(const Decoded& decoded, const Operation& operation) {
  if (is_segment_register(decoded)) return nullptr;
  return by_size(operation.operand_size, [&](auto zero) -> Handler {
    using T = decltype(zero);
    if (decoded.immediate(0)) return handle<push_immediate<T>>;
    if (!decoded.memory(0)) return handle<push_register<T>>;
    return by_address(decoded, [](auto address) -> Handler { return handle<push_memory<T, address.value>>; });
  });
}

Handler select_pop(const Decoded& decoded, const Operation& operation) {
  if (is_segment_register(decoded)) return nullptr;
  return by_size(operation.operand_size, [&](auto zero) -> Handler {
    using T = decltype(zero);
    if (!decoded.memory(0)) {
      return decoded.probed && is_stack_pointer(decoded, 0) ? handle<tell_stack_load<pop_register<T>>>
                                                            : handle<pop_register<T>>;
    }
    return by_address(decoded, [](auto address) -> Handler { return handle<pop_memory<T, address.value>>; });
  });
}

}  // namespace

Selection select_stack_group(const Decoded& decoded, Operation& operation) {
  const auto sized = [&](auto pick) { return Selection{by_size(operation.operand_size, pick)}; };
  switch (decoded.mnemonic()) {
    case ZYDIS_MNEMONIC_PUSH:
      return {select_push(decoded, operation)};
    case ZYDIS_MNEMONIC_POP:
      return {select_pop(decoded, operation)};
    case ZYDIS_MNEMONIC_PUSHA:
      return {handle<pusha<u16>>};
    case ZYDIS_MNEMONIC_PUSHAD:
      return {handle<pusha<u32>>};
    case ZYDIS_MNEMONIC_POPA:
      return {handle<popa<u16>>};
    case ZYDIS_MNEMONIC_POPAD:
      return {handle<popa<u32>>};
    case ZYDIS_MNEMONIC_ENTER:
      operation.immediate = decoded.operands[0].imm.value.u;
      operation.extra = static_cast<u8>(decoded.operands[1].imm.value.u);
      return sized([](auto zero) -> Handler { return handle<enter<decltype(zero)>>; });
    case ZYDIS_MNEMONIC_LEAVE:
      return sized([](auto zero) -> Handler { return handle<leave_frame<decltype(zero)>>; });
    default:
      return {};
  }
}

}  // namespace vitrine
