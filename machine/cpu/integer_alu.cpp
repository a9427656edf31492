// ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST, INC, DEC, NEG, NOT, CMPXCHG, XADD (SDM vol. 2).
#include "machine/cpu/flags.hpp"
#include "machine/cpu/integer.hpp"

namespace vitrine {

namespace {

template <Alu Op, class T>
Outcome register_register(Cpu& cpu, const Operation& operation) {
  const T result =
      alu<Op, T>(read_register<T>(cpu, operation.first), read_register<T>(cpu, operation.second), cpu.state.status);
  if constexpr (writes_result<Op>) write_register<T>(cpu, operation.first, result);
  return Outcome::Next;
}

template <Alu Op, class T>
Outcome register_immediate(Cpu& cpu, const Operation& operation) {
  const T result =
      alu<Op, T>(read_register<T>(cpu, operation.first), static_cast<T>(operation.immediate), cpu.state.status);
  if constexpr (writes_result<Op>) write_register<T>(cpu, operation.first, result);
  return Outcome::Next;
}

template <Alu Op, class T, Address A>
Outcome register_memory(Cpu& cpu, const Operation& operation) {
  T source;
  if (!read_memory<A>(cpu, operation, source)) return Outcome::Fault;
  const T result = alu<Op, T>(read_register<T>(cpu, operation.first), source, cpu.state.status);
  if constexpr (writes_result<Op>) write_register<T>(cpu, operation.first, result);
  return Outcome::Next;
}

template <Alu Op, class T, Address A, bool Immediate>
Outcome memory_source(Cpu& cpu, const Operation& operation) {
  const T source = Immediate ? static_cast<T>(operation.immediate) : read_register<T>(cpu, operation.second);
  if constexpr (writes_result<Op>) {
    const bool done =
        update_memory<A, T>(cpu, operation, [&](T value) { return alu<Op, T>(value, source, cpu.state.status); });
    return done ? Outcome::Next : Outcome::Fault;
  } else {
    T value;
    if (!read_memory<A>(cpu, operation, value)) return Outcome::Fault;
    alu<Op, T>(value, source, cpu.state.status);
    return Outcome::Next;
  }
}

template <Alu Op>
Handler select_alu(const Decoded& decoded) {
  return by_size(decoded.size(0), [&](auto zero) -> Handler {
    using T = decltype(zero);
    if (decoded.memory(0)) {
      return by_address(decoded, [&](auto address) -> Handler {
        return decoded.immediate(1) ? handle<memory_source<Op, T, address.value, true>>
                                    : handle<memory_source<Op, T, address.value, false>>;
      });
    }
    if (decoded.memory(1)) {
      return by_address(decoded, [](auto address) -> Handler { return handle<register_memory<Op, T, address.value>>; });
    }
    return decoded.immediate(1) ? handle<register_immediate<Op, T>> : handle<register_register<Op, T>>;
  });
}

// TEST m, r: Zydis may give either order; the operation is symmetric.

enum class Unary : u8 { Inc, Dec, Neg, Not };

template <Unary Op, class T>
VITRINE_INLINE T unary(T value, u16& status) {
  if constexpr (Op == Unary::Inc) return increment(value, status);
  if constexpr (Op == Unary::Dec) return decrement(value, status);
  if constexpr (Op == Unary::Neg) return alu<Alu::Sub, T>(0, value, status);
  return static_cast<T>(~value);
}

template <Unary Op, class T>
Outcome unary_register(Cpu& cpu, const Operation& operation) {
  write_register<T>(cpu, operation.first, unary<Op, T>(read_register<T>(cpu, operation.first), cpu.state.status));
  return Outcome::Next;
}

template <Unary Op, class T, Address A>
Outcome unary_memory(Cpu& cpu, const Operation& operation) {
  const bool done = update_memory<A, T>(cpu, operation, [&](T value) { return unary<Op, T>(value, cpu.state.status); });
  return done ? Outcome::Next : Outcome::Fault;
}

template <Unary Op>
Handler select_unary(const Decoded& decoded) {
  return by_size(decoded.size(0), [&](auto zero) -> Handler {
    using T = decltype(zero);
    if (!decoded.memory(0)) return handle<unary_register<Op, T>>;
    return by_address(decoded, [](auto address) -> Handler { return handle<unary_memory<Op, T, address.value>>; });
  });
}

template <class T>
Outcome cmpxchg_register(Cpu& cpu, const Operation& operation) {
  const T old = read_register<T>(cpu, operation.first);
  const T accumulator = read_register<T>(cpu, rax * 8);
  alu<Alu::Cmp, T>(accumulator, old, cpu.state.status);
  if (old == accumulator) {
    write_register<T>(cpu, operation.first, read_register<T>(cpu, operation.second));
  } else {
    write_register<T>(cpu, rax * 8, old);
  }
  return Outcome::Next;
}

template <class T, Address A>
Outcome cmpxchg_memory(Cpu& cpu, const Operation& operation) {
  const T accumulator = read_register<T>(cpu, rax * 8);
  const T source = read_register<T>(cpu, operation.second);
  T old{};
  // The destination is written in either case (SDM vol. 2, CMPXCHG).
  const bool done = update_memory<A, T>(cpu, operation, [&](T value) {
    old = value;
    return value == accumulator ? source : value;
  });
  if (!done) return Outcome::Fault;
  alu<Alu::Cmp, T>(accumulator, old, cpu.state.status);
  if (old != accumulator) write_register<T>(cpu, rax * 8, old);
  return Outcome::Next;
}

template <class T>
Outcome xadd_register(Cpu& cpu, const Operation& operation) {
  const T old = read_register<T>(cpu, operation.first);
  const T sum = alu<Alu::Add, T>(old, read_register<T>(cpu, operation.second), cpu.state.status);
  write_register<T>(cpu, operation.second, old);
  write_register<T>(cpu, operation.first, sum);
  return Outcome::Next;
}

template <class T, Address A>
Outcome xadd_memory(Cpu& cpu, const Operation& operation) {
  T old{};
  const bool done = update_memory<A, T>(cpu, operation, [&](T value) {
    old = value;
    return alu<Alu::Add, T>(value, read_register<T>(cpu, operation.second), cpu.state.status);
  });
  if (!done) return Outcome::Fault;
  write_register<T>(cpu, operation.second, old);
  return Outcome::Next;
}

template <class Half, Address A>
Outcome cmpxchg_double(Cpu& cpu, const Operation& operation) {
  struct Pair {
    Half low, high;
  };
  u64 linear;
  if (!operand_address<A>(cpu, operation, sizeof(Pair), Access::Write, linear)) return Outcome::Fault;
  if (sizeof(Half) == 8 && linear % 16 != 0) {
    return cpu.raise(vector::general_protection, 0, FailedCheck::Alignment, linear);
  }
  Pair old{};
  const bool done = update_linear<Pair>(cpu, operation, linear, [&](Pair value) {
    old = value;
    const bool equal =
        value.low == read_register<Half>(cpu, rax * 8) && value.high == read_register<Half>(cpu, rdx * 8);
    return equal ? Pair{read_register<Half>(cpu, rbx * 8), read_register<Half>(cpu, rcx * 8)} : value;
  });
  if (!done) return Outcome::Fault;
  if (old.low == read_register<Half>(cpu, rax * 8) && old.high == read_register<Half>(cpu, rdx * 8)) {
    cpu.state.status |= status_bit::zero;
  } else {
    cpu.state.status &= static_cast<u16>(~status_bit::zero);
    write_register<Half>(cpu, rax * 8, old.low);
    write_register<Half>(cpu, rdx * 8, old.high);
  }
  return Outcome::Next;
}

}  // namespace

Selection select_alu_group(const Decoded& decoded, Operation&) {
  switch (decoded.mnemonic()) {
    case ZYDIS_MNEMONIC_ADD:
      return {select_alu<Alu::Add>(decoded)};
    case ZYDIS_MNEMONIC_OR:
      return {select_alu<Alu::Or>(decoded)};
    case ZYDIS_MNEMONIC_ADC:
      return {select_alu<Alu::Adc>(decoded)};
    case ZYDIS_MNEMONIC_SBB:
      return {select_alu<Alu::Sbb>(decoded)};
    case ZYDIS_MNEMONIC_AND:
      return {select_alu<Alu::And>(decoded)};
    case ZYDIS_MNEMONIC_SUB:
      return {select_alu<Alu::Sub>(decoded)};
    case ZYDIS_MNEMONIC_XOR:
      return {select_alu<Alu::Xor>(decoded)};
    case ZYDIS_MNEMONIC_CMP:
      return {select_alu<Alu::Cmp>(decoded)};
    case ZYDIS_MNEMONIC_TEST:
      return {select_alu<Alu::Test>(decoded)};
    case ZYDIS_MNEMONIC_INC:
      return {select_unary<Unary::Inc>(decoded)};
    case ZYDIS_MNEMONIC_DEC:
      return {select_unary<Unary::Dec>(decoded)};
    case ZYDIS_MNEMONIC_NEG:
      return {select_unary<Unary::Neg>(decoded)};
    case ZYDIS_MNEMONIC_NOT:
      return {select_unary<Unary::Not>(decoded)};
    case ZYDIS_MNEMONIC_CMPXCHG:
      return {by_size(decoded.size(0), [&](auto zero) -> Handler {
        using T = decltype(zero);
        if (!decoded.memory(0)) return handle<cmpxchg_register<T>>;
        return by_address(decoded, [](auto address) -> Handler { return handle<cmpxchg_memory<T, address.value>>; });
      })};
    case ZYDIS_MNEMONIC_XADD:
      return {by_size(decoded.size(0), [&](auto zero) -> Handler {
        using T = decltype(zero);
        if (!decoded.memory(0)) return handle<xadd_register<T>>;
        return by_address(decoded, [](auto address) -> Handler { return handle<xadd_memory<T, address.value>>; });
      })};
    case ZYDIS_MNEMONIC_CMPXCHG8B:
      return {by_address(decoded, [](auto address) -> Handler { return handle<cmpxchg_double<u32, address.value>>; })};
    case ZYDIS_MNEMONIC_CMPXCHG16B:
      return {by_address(decoded, [](auto address) -> Handler { return handle<cmpxchg_double<u64, address.value>>; })};
    default:
      return {};
  }
}

}  // namespace vitrine
