// MOV, MOVZX, MOVSX(D), LEA, XCHG, PUSH, POP, PUSHA, POPA, ENTER, LEAVE, CMOVcc, SETcc, BSWAP, MOVBE, CBW..CQO, XLAT,
// flag moves and instructions that do nothing (SDM vol. 2).
#include "machine/cpu/flags.hpp"
#include "machine/cpu/integer.hpp"
#include "machine/cpu/stack_fault.hpp"
#include "machine/cpu/system.hpp"

namespace vitrine {

namespace {

template <class T>
Outcome mov_register_register(Cpu& cpu, const Operation& operation) {
  write_register<T>(cpu, operation.first, read_register<T>(cpu, operation.second));
  return Outcome::Next;
}
template <class T>
Outcome mov_register_immediate(Cpu& cpu, const Operation& operation) {
  write_register<T>(cpu, operation.first, static_cast<T>(operation.immediate));
  return Outcome::Next;
}
template <class T, Address A>
Outcome mov_register_memory(Cpu& cpu, const Operation& operation) {
  T value;
  if (!read_memory<A>(cpu, operation, value)) return Outcome::Fault;
  write_register<T>(cpu, operation.first, value);
  return Outcome::Next;
}
template <class T, Address A>
Outcome mov_memory_register(Cpu& cpu, const Operation& operation) {
  return store_memory<A>(cpu, operation, read_register<T>(cpu, operation.second)) ? Outcome::Next : Outcome::Fault;
}
template <class T, Address A>
Outcome mov_memory_immediate(Cpu& cpu, const Operation& operation) {
  return store_memory<A>(cpu, operation, static_cast<T>(operation.immediate)) ? Outcome::Next : Outcome::Fault;
}

/// MOV with a 64-bit absolute address, which is in `immediate`.
template <class T, bool Load>
Outcome mov_absolute(Cpu& cpu, const Operation& operation) {
  const u64 linear = operation.immediate + (operation.segment >= fs ? cpu.state.segments[operation.segment].base : 0);
  if constexpr (Load) {
    T value;
    if (!read_linear(cpu, operation, linear, value)) return Outcome::Fault;
    write_register<T>(cpu, rax * 8, value);
    return Outcome::Next;
  }
  return write_linear(cpu, operation, linear, read_register<T>(cpu, rax * 8)) ? Outcome::Next : Outcome::Fault;
}

Handler select_mov(const Decoded& decoded) {
  if (decoded.reg(0) && ZydisRegisterGetClass(decoded.operands[0].reg.value) >= ZYDIS_REGCLASS_SEGMENT) return nullptr;
  if (decoded.reg(1) && ZydisRegisterGetClass(decoded.operands[1].reg.value) >= ZYDIS_REGCLASS_SEGMENT) return nullptr;
  return by_size(decoded.size(0), [&](auto zero) -> Handler {
    using T = decltype(zero);
    if (decoded.instruction.raw.disp.size == 64) {
      return decoded.memory(0) ? handle<mov_absolute<T, false>> : handle<mov_absolute<T, true>>;
    }
    if (decoded.memory(0)) {
      return by_address(decoded, [&](auto address) -> Handler {
        return decoded.immediate(1) ? handle<mov_memory_immediate<T, address.value>>
                                    : handle<mov_memory_register<T, address.value>>;
      });
    }
    if (decoded.memory(1)) {
      return by_address(decoded, [](auto address) -> Handler { return handle<mov_register_memory<T, address.value>>; });
    }
    return decoded.immediate(1) ? handle<mov_register_immediate<T>> : handle<mov_register_register<T>>;
  });
}

template <class To, class From>
Outcome extend_register(Cpu& cpu, const Operation& operation) {
  using Wide = std::conditional_t<std::is_signed_v<From>, std::make_signed_t<To>, To>;
  write_register<To>(cpu, operation.first,
                     static_cast<To>(static_cast<Wide>(read_register<From>(cpu, operation.second))));
  return Outcome::Next;
}
template <class To, class From, Address A>
Outcome extend_memory(Cpu& cpu, const Operation& operation) {
  using Wide = std::conditional_t<std::is_signed_v<From>, std::make_signed_t<To>, To>;
  From value;
  if (!read_memory<A>(cpu, operation, value)) return Outcome::Fault;
  write_register<To>(cpu, operation.first, static_cast<To>(static_cast<Wide>(value)));
  return Outcome::Next;
}

template <class From>
Handler select_extend(const Decoded& decoded) {
  return by_size(decoded.size(0), [&](auto zero) -> Handler {
    using To = decltype(zero);
    if (!decoded.memory(1)) return handle<extend_register<To, From>>;
    return by_address(decoded, [](auto address) -> Handler { return handle<extend_memory<To, From, address.value>>; });
  });
}

template <class T, Address A>
Outcome lea(Cpu& cpu, const Operation& operation) {
  write_register<T>(cpu, operation.first, static_cast<T>(effective_address<A>(cpu, operation)));
  return Outcome::Next;
}

template <class T>
Outcome xchg_register(Cpu& cpu, const Operation& operation) {
  const T first = read_register<T>(cpu, operation.first);
  const T second = read_register<T>(cpu, operation.second);
  write_register<T>(cpu, operation.first, second);
  write_register<T>(cpu, operation.second, first);
  return Outcome::Next;
}
template <class T, Address A>
Outcome xchg_memory(Cpu& cpu, const Operation& operation, RegisterByte byte) {
  T old{};
  const bool done = update_memory<A, T>(cpu, operation, [&](T value) {
    old = value;
    return read_register<T>(cpu, byte);
  });
  if (!done) return Outcome::Fault;
  write_register<T>(cpu, byte, old);
  return Outcome::Next;
}
template <class T, Address A>
Outcome xchg_memory_first(Cpu& cpu, const Operation& operation) {
  return xchg_memory<T, A>(cpu, operation, operation.second);
}
template <class T, Address A>
Outcome xchg_memory_second(Cpu& cpu, const Operation& operation) {
  return xchg_memory<T, A>(cpu, operation, operation.first);
}

// --- stack ---------------------------------------------------------------------------------------------------------

template <class T>
Outcome push_register(Cpu& cpu, const Operation& operation) {
  return push<T>(cpu, operation, read_register<T>(cpu, operation.first)) ? Outcome::Next : Outcome::Fault;
}
template <class T>
Outcome push_immediate(Cpu& cpu, const Operation& operation) {
  return push<T>(cpu, operation, static_cast<T>(operation.immediate)) ? Outcome::Next : Outcome::Fault;
}
template <class T, Address A>
Outcome push_memory(Cpu& cpu, const Operation& operation) {
  T value;
  if (!read_memory<A>(cpu, operation, value)) return Outcome::Fault;
  return push<T>(cpu, operation, value) ? Outcome::Next : stack_refused(cpu);
}
template <class T>
Outcome pop_register(Cpu& cpu, const Operation& operation) {
  T value;
  if (!pop<T>(cpu, operation, value)) return Outcome::Fault;
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

// --- conditions ------------------------------------------------------------------------------------------------------

template <u8 Code>
Outcome set_register(Cpu& cpu, const Operation& operation) {
  write_register<u8>(cpu, operation.first, condition<Code>(cpu.state.status) ? 1 : 0);
  return Outcome::Next;
}
template <u8 Code, Address A>
Outcome set_memory(Cpu& cpu, const Operation& operation) {
  const u8 value = condition<Code>(cpu.state.status) ? 1 : 0;
  return write_memory<A>(cpu, operation, value) ? Outcome::Next : Outcome::Fault;
}
template <u8 Code, class T>
Outcome cmov_register(Cpu& cpu, const Operation& operation) {
  const T value = read_register<T>(cpu, condition<Code>(cpu.state.status) ? operation.second : operation.first);
  write_register<T>(cpu, operation.first, value);  // a 32-bit CMOV clears the upper half in any case
  return Outcome::Next;
}
template <u8 Code, class T, Address A>
Outcome cmov_memory(Cpu& cpu, const Operation& operation) {
  T value;
  if (!read_memory<A>(cpu, operation, value)) return Outcome::Fault;
  if (!condition<Code>(cpu.state.status)) value = read_register<T>(cpu, operation.first);
  write_register<T>(cpu, operation.first, value);
  return Outcome::Next;
}

// --- the rest
// ----------------------------------------------------------------------------------------------------------

template <class T>
VITRINE_INLINE T swap_bytes(T value) {
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
  return value;
}
template <class T>
Outcome bswap(Cpu& cpu, const Operation& operation) {
  // A 16-bit BSWAP is undefined; processors give zero.
  const T value = read_register<T>(cpu, operation.first);
  write_register<T>(cpu, operation.first, sizeof(T) == 2 ? T{0} : swap_bytes(value));
  return Outcome::Next;
}
template <class T, Address A>
Outcome movbe_load(Cpu& cpu, const Operation& operation) {
  T value;
  if (!read_memory<A>(cpu, operation, value)) return Outcome::Fault;
  write_register<T>(cpu, operation.first, swap_bytes(value));
  return Outcome::Next;
}
template <class T, Address A>
Outcome movbe_store(Cpu& cpu, const Operation& operation) {
  return write_memory<A>(cpu, operation, swap_bytes(read_register<T>(cpu, operation.second))) ? Outcome::Next
                                                                                              : Outcome::Fault;
}

/// CBW, CWDE, CDQE: the accumulator's lower half, sign-extended.
template <class To, class From>
Outcome widen_accumulator(Cpu& cpu, const Operation&) {
  write_register<To>(cpu, rax * 8,
                     static_cast<To>(static_cast<std::make_signed_t<From>>(read_register<From>(cpu, rax * 8))));
  return Outcome::Next;
}
/// CWD, CDQ, CQO: the accumulator's sign in all bits of rDX.
template <class T>
Outcome sign_to_dx(Cpu& cpu, const Operation&) {
  const auto value = static_cast<std::make_signed_t<T>>(read_register<T>(cpu, rax * 8));
  write_register<T>(cpu, rdx * 8, value < 0 ? static_cast<T>(~T{0}) : T{0});
  return Outcome::Next;
}

Outcome xlat(Cpu& cpu, const Operation& operation) {
  u64 offset = cpu.state.gpr[rbx] + read_register<u8>(cpu, rax * 8);
  if (operation.address_size == 4) offset = static_cast<u32>(offset);
  if (operation.address_size == 2) offset = static_cast<u16>(offset);
  u64 linear;
  u8 value;
  if (!segment_to_linear(cpu, static_cast<SegmentIndex>(operation.segment), offset, 1, Access::Read, linear) ||
      !read_linear(cpu, operation, linear, value)) {
    return Outcome::Fault;
  }
  write_register<u8>(cpu, rax * 8, value);
  return Outcome::Next;
}

Outcome lahf(Cpu& cpu, const Operation&) {
  write_register<u8>(cpu, rax * 8 + 1, static_cast<u8>(cpu.state.flags()));
  return Outcome::Next;
}
Outcome sahf(Cpu& cpu, const Operation&) {
  const u32 kept = cpu.state.flags() & flag::overflow;
  cpu.state.set_status_flags(read_register<u8>(cpu, rax * 8 + 1) | kept);
  return Outcome::Next;
}
Outcome clc(Cpu& cpu, const Operation&) {
  cpu.state.status &= static_cast<u16>(~status_bit::carry);
  return Outcome::Next;
}
Outcome stc(Cpu& cpu, const Operation&) {
  cpu.state.status |= status_bit::carry;
  return Outcome::Next;
}
Outcome cmc(Cpu& cpu, const Operation&) {
  cpu.state.status ^= status_bit::carry;
  return Outcome::Next;
}
Outcome cld(Cpu& cpu, const Operation&) {
  cpu.state.other_flags &= ~flag::direction;
  return Outcome::Next;
}
Outcome set_direction(Cpu& cpu, const Operation&) {
  cpu.state.other_flags |= flag::direction;
  return Outcome::Next;
}
Outcome salc(Cpu& cpu, const Operation&) {
  write_register<u8>(cpu, rax * 8, (cpu.state.status & status_bit::carry) != 0 ? 0xFF : 0);
  return Outcome::Next;
}
Outcome nothing(Cpu&, const Operation&) { return Outcome::Next; }

template <u8 Code>
Handler select_conditional(const Decoded& decoded, bool is_set) {
  if (is_set) {
    if (!decoded.memory(0)) return handle<set_register<Code>>;
    return by_address(decoded, [](auto address) -> Handler { return handle<set_memory<Code, address.value>>; });
  }
  return by_size(decoded.size(0), [&](auto zero) -> Handler {
    using T = decltype(zero);
    if constexpr (sizeof(T) == 1) {
      return nullptr;
    } else {
      if (!decoded.memory(1)) return handle<cmov_register<Code, T>>;
      return by_address(decoded, [](auto address) -> Handler { return handle<cmov_memory<Code, T, address.value>>; });
    }
  });
}

/// With a probe: an instruction that loads RSP.
template <auto Function>
Outcome tell_stack_load(Cpu& cpu, const Operation& operation) {
  const u64 old = cpu.state.gpr[rsp];
  const Outcome outcome = Function(cpu, operation);
  if (outcome == Outcome::Next && cpu.probe != nullptr) tell_stack_switched(cpu, operation, old);
  return outcome;
}

bool is_stack_pointer(const Decoded& decoded, unsigned operand) {
  if (!decoded.reg(operand)) return false;
  const ZydisRegister reg = decoded.operands[operand].reg.value;
  return reg == ZYDIS_REGISTER_RSP || reg == ZYDIS_REGISTER_ESP || reg == ZYDIS_REGISTER_SP;
}

/// The frame pointer brings RSP back at the end of a function: that is no other stack.
bool is_frame_pointer(ZydisRegister reg) {
  return reg == ZYDIS_REGISTER_RBP || reg == ZYDIS_REGISTER_EBP || reg == ZYDIS_REGISTER_BP;
}

/// The probing handler of an instruction that loads RSP with a new value. Null: it is none.
Handler select_stack_load(const Decoded& decoded) {
  const bool exchanges = decoded.mnemonic() == ZYDIS_MNEMONIC_XCHG;
  if (!is_stack_pointer(decoded, 0) && !(exchanges && is_stack_pointer(decoded, 1))) return nullptr;
  return by_size(decoded.size(0), [&](auto zero) -> Handler {
    using T = decltype(zero);
    switch (decoded.mnemonic()) {
      case ZYDIS_MNEMONIC_MOV:
        if (decoded.memory(1)) {
          return by_address(decoded, [](auto address) -> Handler {
            return handle<tell_stack_load<mov_register_memory<T, address.value>>>;
          });
        }
        if (decoded.immediate(1)) return handle<tell_stack_load<mov_register_immediate<T>>>;
        if (is_frame_pointer(decoded.operands[1].reg.value)) return nullptr;
        return ZydisRegisterGetClass(decoded.operands[1].reg.value) < ZYDIS_REGCLASS_SEGMENT
                   ? handle<tell_stack_load<mov_register_register<T>>>
                   : nullptr;
      case ZYDIS_MNEMONIC_LEA: {
        const ZydisRegister base = decoded.operands[1].mem.base;
        if (is_frame_pointer(base) || (base != ZYDIS_REGISTER_NONE && ZydisRegisterGetId(base) == rsp)) return nullptr;
        return by_address(decoded,
                          [](auto address) -> Handler { return handle<tell_stack_load<lea<T, address.value>>>; });
      }
      case ZYDIS_MNEMONIC_XCHG:
        if (decoded.memory(0)) {
          return by_address(decoded, [](auto address) -> Handler {
            return handle<tell_stack_load<xchg_memory_first<T, address.value>>>;
          });
        }
        if (decoded.memory(1)) {
          return by_address(decoded, [](auto address) -> Handler {
            return handle<tell_stack_load<xchg_memory_second<T, address.value>>>;
          });
        }
        return handle<tell_stack_load<xchg_register<T>>>;
      case ZYDIS_MNEMONIC_POP:
        return handle<tell_stack_load<pop_register<T>>>;
      default:
        return nullptr;
    }
  });
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
    if (!decoded.memory(0)) return handle<pop_register<T>>;
    return by_address(decoded, [](auto address) -> Handler { return handle<pop_memory<T, address.value>>; });
  });
}

}  // namespace

Selection select_move_group(const Decoded& decoded, Operation& operation) {
  const u8 opcode = decoded.instruction.opcode;
  const auto sized = [&](auto pick) { return Selection{by_size(operation.operand_size, pick)}; };
  if (decoded.probed) {
    if (const Handler handler = select_stack_load(decoded)) return {handler};
  }
  switch (decoded.mnemonic()) {
    case ZYDIS_MNEMONIC_MOV:
      return {select_mov(decoded)};
    case ZYDIS_MNEMONIC_MOVZX:
      return {decoded.size(1) == 1 ? select_extend<u8>(decoded) : select_extend<u16>(decoded)};
    case ZYDIS_MNEMONIC_MOVSX:
      return {decoded.size(1) == 1 ? select_extend<i8>(decoded) : select_extend<i16>(decoded)};
    case ZYDIS_MNEMONIC_MOVSXD:
      return {select_extend<i32>(decoded)};
    case ZYDIS_MNEMONIC_LEA:
      return {by_size(decoded.size(0), [&](auto zero) -> Handler {
        using T = decltype(zero);
        return by_address(decoded, [](auto address) -> Handler { return handle<lea<T, address.value>>; });
      })};
    case ZYDIS_MNEMONIC_XCHG:
      return {by_size(decoded.size(0), [&](auto zero) -> Handler {
        using T = decltype(zero);
        if (decoded.memory(0)) {
          return by_address(decoded,
                            [](auto address) -> Handler { return handle<xchg_memory_first<T, address.value>>; });
        }
        if (decoded.memory(1)) {
          return by_address(decoded,
                            [](auto address) -> Handler { return handle<xchg_memory_second<T, address.value>>; });
        }
        return handle<xchg_register<T>>;
      })};
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
    case ZYDIS_MNEMONIC_BSWAP:
      return {by_size(decoded.size(0), [](auto zero) -> Handler { return handle<bswap<decltype(zero)>>; })};
    case ZYDIS_MNEMONIC_MOVBE:
      return {by_size(decoded.size(0), [&](auto zero) -> Handler {
        using T = decltype(zero);
        return by_address(decoded, [&](auto address) -> Handler {
          return decoded.memory(0) ? handle<movbe_store<T, address.value>> : handle<movbe_load<T, address.value>>;
        });
      })};
    case ZYDIS_MNEMONIC_CBW:
      return {handle<widen_accumulator<u16, u8>>};
    case ZYDIS_MNEMONIC_CWDE:
      return {handle<widen_accumulator<u32, u16>>};
    case ZYDIS_MNEMONIC_CDQE:
      return {handle<widen_accumulator<u64, u32>>};
    case ZYDIS_MNEMONIC_CWD:
      return {handle<sign_to_dx<u16>>};
    case ZYDIS_MNEMONIC_CDQ:
      return {handle<sign_to_dx<u32>>};
    case ZYDIS_MNEMONIC_CQO:
      return {handle<sign_to_dx<u64>>};
    case ZYDIS_MNEMONIC_XLAT:
      return {handle<xlat>};
    case ZYDIS_MNEMONIC_LAHF:
      return {handle<lahf>};
    case ZYDIS_MNEMONIC_SAHF:
      return {handle<sahf>};
    case ZYDIS_MNEMONIC_CLC:
      return {handle<clc>};
    case ZYDIS_MNEMONIC_STC:
      return {handle<stc>};
    case ZYDIS_MNEMONIC_CMC:
      return {handle<cmc>};
    case ZYDIS_MNEMONIC_CLD:
      return {handle<cld>};
    case ZYDIS_MNEMONIC_STD:
      return {handle<set_direction>};
    case ZYDIS_MNEMONIC_SALC:
      return {handle<salc>};
    case ZYDIS_MNEMONIC_NOP:
    case ZYDIS_MNEMONIC_ENDBR32:
    case ZYDIS_MNEMONIC_ENDBR64:
    case ZYDIS_MNEMONIC_RDSSPD:
    case ZYDIS_MNEMONIC_RDSSPQ:
    case ZYDIS_MNEMONIC_LFENCE:
    case ZYDIS_MNEMONIC_SFENCE:
    case ZYDIS_MNEMONIC_MFENCE:
    case ZYDIS_MNEMONIC_PREFETCH:
    case ZYDIS_MNEMONIC_PREFETCHNTA:
    case ZYDIS_MNEMONIC_PREFETCHT0:
    case ZYDIS_MNEMONIC_PREFETCHT1:
    case ZYDIS_MNEMONIC_PREFETCHT2:
    case ZYDIS_MNEMONIC_PREFETCHW:
    case ZYDIS_MNEMONIC_PREFETCHWT1:
      return {handle<nothing>};
    default:
      break;
  }
  const bool is_set = decoded.instruction.meta.category == ZYDIS_CATEGORY_SETCC;
  if (is_set || decoded.instruction.meta.category == ZYDIS_CATEGORY_CMOV) {
    return {by_condition(opcode & 15,
                         [&](auto code) -> Handler { return select_conditional<code.value>(decoded, is_set); })};
  }
  return {};
}

}  // namespace vitrine
