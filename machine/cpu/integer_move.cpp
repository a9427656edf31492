// MOV, MOVZX, MOVSX(D), LEA, XCHG (SDM vol. 2).
#include "machine/cpu/integer.hpp"
#include "machine/cpu/stack_load.hpp"

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
  if (!read_memory<A, &Cpu::load_slow>(cpu, operation, value)) return Outcome::Fault;
  write_register<T>(cpu, operation.first, value);
  return Outcome::Next;
}
template <class T, Address A>
Outcome mov_memory_register(Cpu& cpu, const Operation& operation) {
  return write_memory<A, &Cpu::store_slow>(cpu, operation, read_register<T>(cpu, operation.second)) ? Outcome::Next
                                                                                                    : Outcome::Fault;
}
template <class T, Address A>
Outcome mov_memory_immediate(Cpu& cpu, const Operation& operation) {
  return write_memory<A, &Cpu::store_slow>(cpu, operation, static_cast<T>(operation.immediate)) ? Outcome::Next
                                                                                                : Outcome::Fault;
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
      default:
        return nullptr;
    }
  });
}

}  // namespace

Selection select_move_group(const Decoded& decoded, Operation&) {
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
    default:
      return {};
  }
}

}  // namespace vitrine
