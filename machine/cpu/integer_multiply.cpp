// MUL, IMUL, MULX, DIV, IDIV and the decimal adjustments (SDM vol. 2). MUL leaves SF, ZF, AF, PF undefined: we set
// SF and PF from the low half as processors do, and clear ZF and AF.
#include "machine/cpu/flags.hpp"
#include "machine/cpu/integer.hpp"

namespace vitrine {

namespace {

template <class T>
struct Double;
template <>
struct Double<u8> {
  using Unsigned = u16;
  using Signed = i16;
};
template <>
struct Double<u16> {
  using Unsigned = u32;
  using Signed = i32;
};
template <>
struct Double<u32> {
  using Unsigned = u64;
  using Signed = i64;
};
template <>
struct Double<u64> {
  using Unsigned = u128;
  using Signed = i128;
};

template <class T>
u16 multiply_status(T low, bool overflow) {
  const u16 status = static_cast<u16>(logic_status(low) & ~status_bit::zero);
  return static_cast<u16>(status | (overflow ? status_bit::carry | status_bit::overflow : 0));
}

/// The accumulator pair: AX for bytes, rDX:rAX otherwise.
template <class T>
void write_pair(Cpu& cpu, T low, T high) {
  if constexpr (sizeof(T) == 1) {
    write_register<u16>(cpu, rax * 8, static_cast<u16>(high << 8 | low));
  } else {
    write_register<T>(cpu, rax * 8, low);
    write_register<T>(cpu, rdx * 8, high);
  }
}

template <bool Signed, class T>
Outcome multiply_by(Cpu& cpu, T source) {
  using Wide = std::conditional_t<Signed, typename Double<T>::Signed, typename Double<T>::Unsigned>;
  using Narrow = std::conditional_t<Signed, std::make_signed_t<T>, T>;
  const Wide product = static_cast<Wide>(static_cast<Wide>(static_cast<Narrow>(read_register<T>(cpu, rax * 8))) *
                                         static_cast<Wide>(static_cast<Narrow>(source)));
  const T low = static_cast<T>(product);
  const T high = static_cast<T>(static_cast<typename Double<T>::Unsigned>(product) >> (sizeof(T) * 8));
  cpu.state.status = multiply_status(low, product != static_cast<Wide>(static_cast<Narrow>(low)));
  write_pair(cpu, low, high);
  return Outcome::Next;
}

template <bool Signed, class T>
Outcome divide_by(Cpu& cpu, T source) {
  using WideUnsigned = typename Double<T>::Unsigned;
  using Wide = std::conditional_t<Signed, typename Double<T>::Signed, WideUnsigned>;
  using Narrow = std::conditional_t<Signed, std::make_signed_t<T>, T>;
  if (source == 0) return cpu.raise(vector::divide_error, FailedCheck::None);
  const T low = read_register<T>(cpu, rax * 8);
  const T high = sizeof(T) == 1 ? read_register<T>(cpu, rax * 8 + 1) : read_register<T>(cpu, rdx * 8);
  const WideUnsigned joined = static_cast<WideUnsigned>(static_cast<WideUnsigned>(high) << (sizeof(T) * 8) | low);
  const Wide dividend = static_cast<Wide>(joined);
  const Wide divisor = static_cast<Wide>(static_cast<Narrow>(source));
  if constexpr (Signed) {
    // The most negative dividend by -1 overflows the host's division too.
    if (divisor == -1 && joined == static_cast<WideUnsigned>(WideUnsigned{1} << (sizeof(T) * 16 - 1))) {
      return cpu.raise(vector::divide_error, FailedCheck::None);
    }
  }
  const Wide quotient = static_cast<Wide>(dividend / divisor);
  const Wide remainder = static_cast<Wide>(dividend % divisor);
  if (quotient != static_cast<Wide>(static_cast<Narrow>(quotient))) {
    return cpu.raise(vector::divide_error, FailedCheck::None);
  }
  // Flags are undefined: left as they are.
  write_pair(cpu, static_cast<T>(quotient), static_cast<T>(remainder));
  return Outcome::Next;
}

enum class Op : u8 { Mul, Imul, Div, Idiv };

template <Op Kind, class T>
VITRINE_INLINE Outcome apply(Cpu& cpu, T source) {
  if constexpr (Kind == Op::Mul) return multiply_by<false>(cpu, source);
  if constexpr (Kind == Op::Imul) return multiply_by<true>(cpu, source);
  if constexpr (Kind == Op::Div) return divide_by<false>(cpu, source);
  return divide_by<true>(cpu, source);
}

template <Op Kind, class T>
Outcome accumulator_register(Cpu& cpu, const Operation& operation) {
  return apply<Kind>(cpu, read_register<T>(cpu, operation.first));
}
template <Op Kind, class T, Address A>
Outcome accumulator_memory(Cpu& cpu, const Operation& operation) {
  T source;
  return read_memory<A>(cpu, operation, source) ? apply<Kind>(cpu, source) : Outcome::Fault;
}

template <Op Kind>
Handler select_accumulator(const Decoded& decoded) {
  return by_size(decoded.size(0), [&](auto zero) -> Handler {
    using T = decltype(zero);
    if (!decoded.memory(0)) return handle<accumulator_register<Kind, T>>;
    return by_address(decoded,
                      [](auto address) -> Handler { return handle<accumulator_memory<Kind, T, address.value>>; });
  });
}

template <class T>
VITRINE_INLINE T multiply_signed(T a, T b, u16& status) {
  using Narrow = std::make_signed_t<T>;
  Narrow result;
  const bool overflow = __builtin_mul_overflow(static_cast<Narrow>(a), static_cast<Narrow>(b), &result);
  status = multiply_status(static_cast<T>(result), overflow);
  return static_cast<T>(result);
}

template <class T, bool Three>
Outcome imul_register(Cpu& cpu, const Operation& operation) {
  const T source = read_register<T>(cpu, operation.second);
  const T other = Three ? static_cast<T>(operation.immediate) : read_register<T>(cpu, operation.first);
  write_register<T>(cpu, operation.first, multiply_signed(other, source, cpu.state.status));
  return Outcome::Next;
}
template <class T, bool Three, Address A>
Outcome imul_memory(Cpu& cpu, const Operation& operation) {
  T source;
  if (!read_memory<A>(cpu, operation, source)) return Outcome::Fault;
  const T other = Three ? static_cast<T>(operation.immediate) : read_register<T>(cpu, operation.first);
  write_register<T>(cpu, operation.first, multiply_signed(other, source, cpu.state.status));
  return Outcome::Next;
}

Handler select_imul(const Decoded& decoded) {
  if (decoded.instruction.operand_count_visible == 1) return select_accumulator<Op::Imul>(decoded);
  const bool three = decoded.instruction.operand_count_visible == 3;
  return by_size(decoded.size(0), [&](auto zero) -> Handler {
    using T = decltype(zero);
    if constexpr (sizeof(T) == 1) {
      return nullptr;
    } else {
      if (!decoded.memory(1)) return three ? handle<imul_register<T, true>> : handle<imul_register<T, false>>;
      return by_address(decoded, [&](auto address) -> Handler {
        return three ? handle<imul_memory<T, true, address.value>> : handle<imul_memory<T, false, address.value>>;
      });
    }
  });
}

/// MULX high, low, source: rDX times source, no flags.
template <class T>
void mulx(Cpu& cpu, const Operation& operation, T source) {
  using Wide = typename Double<T>::Unsigned;
  const Wide product = static_cast<Wide>(read_register<T>(cpu, rdx * 8)) * source;
  write_register<T>(cpu, operation.second, static_cast<T>(product));
  write_register<T>(cpu, operation.first, static_cast<T>(product >> (sizeof(T) * 8)));  // wins if both are one
}
template <class T>
Outcome mulx_register(Cpu& cpu, const Operation& operation) {
  mulx<T>(cpu, operation, read_register<T>(cpu, operation.third));
  return Outcome::Next;
}
template <class T, Address A>
Outcome mulx_memory(Cpu& cpu, const Operation& operation) {
  T source;
  if (!read_memory<A>(cpu, operation, source)) return Outcome::Fault;
  mulx<T>(cpu, operation, source);
  return Outcome::Next;
}

// --- decimal (SDM vol. 2, AAA, AAD, AAM, AAS, DAA, DAS)
// -------------------------------------------------------------------

void set_adjusted(Cpu& cpu, u8 al, bool carry, bool adjust) {
  cpu.state.status =
      static_cast<u16>(logic_status(al) | (carry ? status_bit::carry : 0) | (adjust ? status_bit::adjust : 0));
}

template <bool Subtract>
Outcome ascii_adjust(Cpu& cpu, const Operation&) {
  const u8 al = read_register<u8>(cpu, rax * 8);
  const bool adjust = (al & 15) > 9 || (cpu.state.status & status_bit::adjust) != 0;
  u16 ax = read_register<u16>(cpu, rax * 8);
  if (adjust) ax = static_cast<u16>(Subtract ? ax - 0x106 : ax + 0x106);
  ax &= 0xFF0F;
  write_register<u16>(cpu, rax * 8, ax);
  set_adjusted(cpu, static_cast<u8>(ax), adjust, adjust);
  return Outcome::Next;
}

template <bool Subtract>
Outcome decimal_adjust(Cpu& cpu, const Operation&) {
  const u8 old = read_register<u8>(cpu, rax * 8);
  const bool old_carry = (cpu.state.status & status_bit::carry) != 0;
  const bool adjust = (old & 15) > 9 || (cpu.state.status & status_bit::adjust) != 0;
  u8 al = old;
  bool carry = false;
  if (adjust) {
    carry = old_carry || (Subtract ? old < 6 : old > 0xF9);
    al = static_cast<u8>(Subtract ? al - 6 : al + 6);
  }
  if (old > 0x99 || old_carry) {
    al = static_cast<u8>(Subtract ? al - 0x60 : al + 0x60);
    carry = true;
  }
  write_register<u8>(cpu, rax * 8, al);
  set_adjusted(cpu, al, carry, adjust);
  return Outcome::Next;
}

Outcome aam(Cpu& cpu, const Operation& operation) {
  const u8 base = static_cast<u8>(operation.immediate);
  if (base == 0) return cpu.raise(vector::divide_error, FailedCheck::None);
  const u8 al = read_register<u8>(cpu, rax * 8);
  write_register<u8>(cpu, rax * 8 + 1, al / base);
  write_register<u8>(cpu, rax * 8, al % base);
  set_adjusted(cpu, al % base, false, false);
  return Outcome::Next;
}

Outcome aad(Cpu& cpu, const Operation& operation) {
  const u8 al = static_cast<u8>(read_register<u8>(cpu, rax * 8) +
                                read_register<u8>(cpu, rax * 8 + 1) * static_cast<u8>(operation.immediate));
  write_register<u16>(cpu, rax * 8, al);
  set_adjusted(cpu, al, false, false);
  return Outcome::Next;
}

}  // namespace

Selection select_multiply_group(const Decoded& decoded, Operation& operation) {
  switch (decoded.mnemonic()) {
    case ZYDIS_MNEMONIC_MUL:
      return {select_accumulator<Op::Mul>(decoded)};
    case ZYDIS_MNEMONIC_IMUL:
      return {select_imul(decoded)};
    case ZYDIS_MNEMONIC_DIV:
      return {select_accumulator<Op::Div>(decoded)};
    case ZYDIS_MNEMONIC_IDIV:
      return {select_accumulator<Op::Idiv>(decoded)};
    case ZYDIS_MNEMONIC_MULX:
      if (decoded.mode.has(CodeMode::real)) return {};
      return {by_size(decoded.size(0), [&](auto zero) -> Handler {
        using T = decltype(zero);
        if constexpr (sizeof(T) < 4) {
          return nullptr;
        } else {
          if (!decoded.memory(2)) return handle<mulx_register<T>>;
          return by_address(decoded, [](auto address) -> Handler { return handle<mulx_memory<T, address.value>>; });
        }
      })};
    case ZYDIS_MNEMONIC_AAA:
      return {handle<ascii_adjust<false>>};
    case ZYDIS_MNEMONIC_AAS:
      return {handle<ascii_adjust<true>>};
    case ZYDIS_MNEMONIC_DAA:
      return {handle<decimal_adjust<false>>};
    case ZYDIS_MNEMONIC_DAS:
      return {handle<decimal_adjust<true>>};
    case ZYDIS_MNEMONIC_AAM:
      operation.immediate = operation.immediate & 0xFF;
      return {handle<aam>};
    case ZYDIS_MNEMONIC_AAD:
      return {handle<aad>};
    default:
      return {};
  }
}

Selection select_integer(const Decoded& decoded, Operation& operation) {
  using Group = Selection (*)(const Decoded&, Operation&);
  static constexpr Group groups[] = {select_alu_group,     select_move_group,   select_stack_group,
                                     select_convert_group, select_flow_group,   select_shift_group,
                                     select_bit_group,     select_string_group, select_multiply_group};
  for (const Group group : groups) {
    const Selection selection = group(decoded, operation);
    if (selection.handler != nullptr) return selection;
  }
  return {};
}

}  // namespace vitrine
