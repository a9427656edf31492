// SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD, SHRD (SDM vol. 2). OF is defined for a count of 1 only; for others we set it
// by the same rule, AF is 0.
#include "machine/cpu/flags.hpp"
#include "machine/cpu/integer.hpp"

namespace vitrine {

namespace {

enum class Shift : u8 { Shl, Shr, Sar, Rol, Ror, Rcl, Rcr };

template <class T>
inline constexpr unsigned width = sizeof(T) * 8;

VITRINE_INLINE u16 carry_overflow(bool carry, bool overflow) {
  return static_cast<u16>((carry ? status_bit::carry : 0) | (overflow ? status_bit::overflow : 0));
}

/// Replaces CF and OF only: what the rotates do.
VITRINE_INLINE void set_carry_overflow(u16& status, bool carry, bool overflow) {
  status = static_cast<u16>((status & ~(status_bit::carry | status_bit::overflow)) | carry_overflow(carry, overflow));
}

template <Shift Op, class T>
VITRINE_INLINE T shift(T value, unsigned raw_count, u16& status) {
  const unsigned count = raw_count & (sizeof(T) == 8 ? 63 : 31);
  if (count == 0) return value;
  constexpr T top = static_cast<T>(T{1} << (width<T> - 1));
  using Signed = std::make_signed_t<T>;
  if constexpr (Op == Shift::Shl) {
    const T result = count < width<T> ? static_cast<T>(value << count) : T{0};
    const bool carry = count <= width<T> && ((value >> (width<T> - count)) & 1) != 0;
    status = static_cast<u16>(logic_status(result) | carry_overflow(carry, ((result & top) != 0) != carry));
    return result;
  } else if constexpr (Op == Shift::Shr) {
    const T result = count < width<T> ? static_cast<T>(value >> count) : T{0};
    const bool carry = count <= width<T> && ((value >> (count - 1)) & 1) != 0;
    status = static_cast<u16>(logic_status(result) | carry_overflow(carry, (value & top) != 0));
    return result;
  } else if constexpr (Op == Shift::Sar) {
    const unsigned bounded = count < width<T> ? count : width<T> - 1;
    const T result = static_cast<T>(static_cast<Signed>(value) >> bounded);
    const bool carry = count < width<T> ? ((value >> (count - 1)) & 1) != 0 : (value & top) != 0;
    status = static_cast<u16>(logic_status(result) | carry_overflow(carry, false));
    return result;
  } else if constexpr (Op == Shift::Rol) {
    const unsigned by = count % width<T>;
    const T result = by == 0 ? value : static_cast<T>(value << by | value >> (width<T> - by));
    const bool carry = (result & 1) != 0;
    set_carry_overflow(status, carry, ((result & top) != 0) != carry);
    return result;
  } else if constexpr (Op == Shift::Ror) {
    const unsigned by = count % width<T>;
    const T result = by == 0 ? value : static_cast<T>(value >> by | value << (width<T> - by));
    const bool carry = (result & top) != 0;
    set_carry_overflow(status, carry, ((result & top) != 0) != ((result & (top >> 1)) != 0));
    return result;
  } else {
    // Through carry: a rotation of width + 1 bits.
    const unsigned by = sizeof(T) < 4 ? count % (width<T> + 1) : count;
    bool carry = (status & status_bit::carry) != 0;
    T result = value;
    if (by != 0) {
      if constexpr (Op == Shift::Rcl) {
        result = static_cast<T>((by < width<T> ? value << by : T{0}) | static_cast<T>(carry) << (by - 1) |
                                (by > 1 ? value >> (width<T> + 1 - by) : T{0}));
        carry = ((value >> (width<T> - by)) & 1) != 0;
      } else {
        result = static_cast<T>((by < width<T> ? value >> by : T{0}) |
                                static_cast<T>(static_cast<T>(carry) << (width<T> - by)) |
                                (by > 1 ? value << (width<T> + 1 - by) : T{0}));
        carry = ((value >> (by - 1)) & 1) != 0;
      }
    }
    const bool overflow =
        Op == Shift::Rcl ? ((result & top) != 0) != carry : ((result & top) != 0) != ((result & (top >> 1)) != 0);
    set_carry_overflow(status, carry, overflow);
    return result;
  }
}

enum class Count : u8 { Immediate, Cl };

template <Count From>
VITRINE_INLINE unsigned count_of(const Cpu& cpu, const Operation& operation) {
  return From == Count::Immediate ? static_cast<u8>(operation.immediate) : read_register<u8>(cpu, rcx * 8);
}

template <Shift Op, class T, Count From>
Outcome shift_register(Cpu& cpu, const Operation& operation) {
  const T value = read_register<T>(cpu, operation.first);
  write_register<T>(cpu, operation.first, shift<Op, T>(value, count_of<From>(cpu, operation), cpu.state.status));
  return Outcome::Next;
}
template <Shift Op, class T, Count From, Address A>
Outcome shift_memory(Cpu& cpu, const Operation& operation) {
  const bool done = update_memory<A, T>(
      cpu, operation, [&](T value) { return shift<Op, T>(value, count_of<From>(cpu, operation), cpu.state.status); });
  return done ? Outcome::Next : Outcome::Fault;
}

template <Shift Op>
Handler select_shift(const Decoded& decoded) {
  return by_size(decoded.size(0), [&](auto zero) -> Handler {
    using T = decltype(zero);
    const bool by_cl = decoded.reg(1);
    if (!decoded.memory(0)) {
      return by_cl ? handle<shift_register<Op, T, Count::Cl>> : handle<shift_register<Op, T, Count::Immediate>>;
    }
    return by_address(decoded, [&](auto address) -> Handler {
      return by_cl ? handle<shift_memory<Op, T, Count::Cl, address.value>>
                   : handle<shift_memory<Op, T, Count::Immediate, address.value>>;
    });
  });
}

template <bool Left, class T>
VITRINE_INLINE T shift_double(T value, T filler, unsigned raw_count, u16& status) {
  const unsigned count = raw_count & (sizeof(T) == 8 ? 63 : 31);
  if (count == 0) return value;
  constexpr T top = static_cast<T>(T{1} << (width<T> - 1));
  T result;
  bool carry;
  if constexpr (sizeof(T) == 2) {
    // Counts above 16 are undefined; we shift the 48 bits value:filler:value, as processors do.
    if constexpr (Left) {
      const u64 chain = static_cast<u64>(value) << 32 | static_cast<u64>(filler) << 16 | value;
      result = static_cast<T>(chain << count >> 32);
      carry = (chain >> (48 - count) & 1) != 0;
    } else {
      const u64 chain = static_cast<u64>(value) << 32 | static_cast<u64>(filler) << 16 | value;
      result = static_cast<T>(chain >> count);
      carry = (chain >> (count - 1) & 1) != 0;
    }
  } else if constexpr (Left) {
    result = static_cast<T>(value << count | filler >> (width<T> - count));
    carry = (value >> (width<T> - count) & 1) != 0;
  } else {
    result = static_cast<T>(value >> count | filler << (width<T> - count));
    carry = (value >> (count - 1) & 1) != 0;
  }
  status = static_cast<u16>(logic_status(result) | carry_overflow(carry, ((result ^ value) & top) != 0));
  return result;
}

template <bool Left, class T, Count From>
Outcome double_register(Cpu& cpu, const Operation& operation) {
  const T result =
      shift_double<Left, T>(read_register<T>(cpu, operation.first), read_register<T>(cpu, operation.second),
                            count_of<From>(cpu, operation), cpu.state.status);
  write_register<T>(cpu, operation.first, result);
  return Outcome::Next;
}
template <bool Left, class T, Count From, Address A>
Outcome double_memory(Cpu& cpu, const Operation& operation) {
  const bool done = update_memory<A, T>(cpu, operation, [&](T value) {
    return shift_double<Left, T>(value, read_register<T>(cpu, operation.second), count_of<From>(cpu, operation),
                                 cpu.state.status);
  });
  return done ? Outcome::Next : Outcome::Fault;
}

template <bool Left>
Handler select_double(const Decoded& decoded) {
  return by_size(decoded.size(0), [&](auto zero) -> Handler {
    using T = decltype(zero);
    if constexpr (sizeof(T) == 1) {
      return nullptr;
    } else {
      const bool by_cl = decoded.reg(2);
      if (!decoded.memory(0)) {
        return by_cl ? handle<double_register<Left, T, Count::Cl>> : handle<double_register<Left, T, Count::Immediate>>;
      }
      return by_address(decoded, [&](auto address) -> Handler {
        return by_cl ? handle<double_memory<Left, T, Count::Cl, address.value>>
                     : handle<double_memory<Left, T, Count::Immediate, address.value>>;
      });
    }
  });
}

}  // namespace

Selection select_shift_group(const Decoded& decoded, Operation&) {
  switch (decoded.mnemonic()) {
    case ZYDIS_MNEMONIC_SHL:
      return {select_shift<Shift::Shl>(decoded)};
    case ZYDIS_MNEMONIC_SHR:
      return {select_shift<Shift::Shr>(decoded)};
    case ZYDIS_MNEMONIC_SAR:
      return {select_shift<Shift::Sar>(decoded)};
    case ZYDIS_MNEMONIC_ROL:
      return {select_shift<Shift::Rol>(decoded)};
    case ZYDIS_MNEMONIC_ROR:
      return {select_shift<Shift::Ror>(decoded)};
    case ZYDIS_MNEMONIC_RCL:
      return {select_shift<Shift::Rcl>(decoded)};
    case ZYDIS_MNEMONIC_RCR:
      return {select_shift<Shift::Rcr>(decoded)};
    case ZYDIS_MNEMONIC_SHLD:
      return {select_double<true>(decoded)};
    case ZYDIS_MNEMONIC_SHRD:
      return {select_double<false>(decoded)};
    default:
      return {};
  }
}

}  // namespace vitrine
