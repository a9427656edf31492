// x87 loads from and stores to memory in all formats.
//
// Manual: Intel SDM vol. 1 §8.3.3, vol. 2. A store whose unmasked exception is found before the result is there writes
// nothing and doesn't pop.
#include <bit>

#include "machine/cpu/x87.hpp"

namespace vitrine {
namespace {

/// 80 bits as they lie in memory.
struct [[gnu::packed]] Extended {
  u64 mantissa;
  u16 sign_exponent;
};
static_assert(sizeof(Extended) == 10);

// --- the common cases in integers: FNSTSW costs more than all the rest ---------------------------------------------

/// A normal number or zero: exact, no exception. False: the host must do it.
VITRINE_INLINE bool widen(u64 sign, unsigned exponent, u64 fraction, unsigned special, unsigned bias_change,
                          Float80& out) {
  if (exponent - 1 < special - 1) [[likely]] {
    out.mantissa = integer_bit | fraction;
    out.sign_exponent = static_cast<u16>(sign << 15 | (exponent + bias_change));
    return true;
  }
  if (exponent != 0 || fraction != 0) return false;
  out.mantissa = 0;
  out.sign_exponent = static_cast<u16>(sign << 15);
  return true;
}
VITRINE_INLINE bool quick_load(u64 in, Float80& out) {  // a double
  return widen(in >> 63, in >> 52 & 0x7FF, (in << 11) & ~integer_bit, 0x7FF, 16383 - 1023, out);
}
VITRINE_INLINE bool quick_load(u32 in, Float80& out) {  // a single
  return widen(in >> 31, in >> 23 & 0xFF, (u64{in} << 40) & ~integer_bit, 0xFF, 16383 - 127, out);
}
VITRINE_INLINE void load_integer(i64 in, Float80& out) {
  if (in == 0) {
    out.mantissa = 0;
    out.sign_exponent = 0;
    return;
  }
  const u64 magnitude = in < 0 ? u64{0} - static_cast<u64>(in) : static_cast<u64>(in);
  const int shift = std::countl_zero(magnitude);
  out.mantissa = magnitude << shift;
  out.sign_exponent = static_cast<u16>((in < 0 ? 0x8000 : 0) | (16383 + 63 - shift));
}

/// Zero, or a number whose exponent stays off the ends, rounded to nearest: `Fraction` bits of it remain. Status as the
/// host would give it.
template <unsigned Fraction, unsigned Bias>
VITRINE_INLINE bool narrow(u16 control, const Float80& in, u64& out, u16& status) {
  constexpr unsigned cut = 63 - Fraction, sign_place = Fraction + std::bit_width(Bias) + 1;
  const u64 sign = in.sign_exponent >> 15;
  const unsigned exponent = in.sign_exponent & 0x7FFFu, biased = exponent - 16383 + Bias;
  if (exponent == 0 && in.mantissa == 0) {
    out = sign << sign_place;
    status = 0;
    return true;
  }
  if (biased - 1 >= 2 * Bias - 1 || (in.mantissa & integer_bit) == 0 || (control & 0xC00) != 0) return false;
  const u64 rest = in.mantissa & ((u64{1} << cut) - 1), half = u64{1} << (cut - 1);
  u64 kept = in.mantissa >> cut;
  status = rest != 0 ? x87_bit::precision : 0;
  if (rest > half || (rest == half && (kept & 1) != 0)) {
    ++kept;
    status |= x87_bit::c1;
  }
  // The integer bit, and what rounding carries into it, counts up the exponent.
  out = (sign << sign_place) + (u64{biased - 1} << Fraction) + kept;
  return true;
}
VITRINE_INLINE bool quick_store(u16 control, const Float80& in, u64& out, u16& status) {
  return narrow<52, 1023>(control, in, out, status);
}
VITRINE_INLINE bool quick_store(u16 control, const Float80& in, u32& out, u16& status) {
  u64 wide;
  if (!narrow<23, 127>(control, in, wide, status)) return false;
  out = static_cast<u32>(wide);
  return true;
}

// --- loads ---------------------------------------------------------------------------------------------------------

#define VITRINE_LOAD(name, type, text)                                                            \
  struct name {                                                                                   \
    using Bits = type;                                                                            \
    VITRINE_INLINE static u16 run(const type& in, Float80& out) {                                 \
      u16 status;                                                                                 \
      VITRINE_X87_MASKED("", text " %[in]", "fstpt %[out]", [out] "=m"(out), [in] "m"(in));       \
      return status;                                                                              \
    }                                                                                             \
    [[gnu::noinline]] static u16 run_strict(u16 own, u16 running, const type& in, Float80& out) { \
      u16 status;                                                                                 \
      VITRINE_X87_STRICT("", text " %[in]", "fstpt %[out]", [out] "=m"(out), [in] "m"(in));       \
      return status;                                                                              \
    }                                                                                             \
  };
VITRINE_LOAD(LoadSingle, u32, "flds")
VITRINE_LOAD(LoadDouble, u64, "fldl")
VITRINE_LOAD(LoadDecimal, Extended, "fbld")

/// FILD: exact, no exception.
template <class T, Address A>
Outcome fild(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  T source;
  if (!read_memory<A>(cpu, operation, source)) return Outcome::Fault;
  note_memory<A>(cpu, operation);
  if (is_valid(cpu, 7)) [[unlikely]]
    return overflow_push(cpu);
  cpu.state.fpu.status &= static_cast<u16>(~x87_bit::c1);
  push_stack(cpu);
  load_integer(source, st(cpu, 0));
  return Outcome::Next;
}

template <class Op, Address A>
Outcome load(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  typename Op::Bits source;
  if (!read_memory<A>(cpu, operation, source)) return Outcome::Fault;
  note_memory<A>(cpu, operation);
  if (is_valid(cpu, 7)) [[unlikely]]
    return overflow_push(cpu);
  if constexpr (std::is_integral_v<typename Op::Bits>) {
    if (quick_load(source, st(cpu, 7))) [[likely]] {
      cpu.state.fpu.status &= static_cast<u16>(~x87_bit::c1);
      push_stack(cpu);
      return Outcome::Next;
    }
  }
  if (x87_strict(cpu)) [[unlikely]] {
    // An unmasked denormal leaves the stack alone (SDM vol. 1 §8.5.2); AMD's FPUs push the value all the same.
    Float80 value;
    if (!finish(cpu, Op::run_strict(strict_control(cpu), running_control(cpu), source, value))) return Outcome::Next;
    push_stack(cpu);
    copy(st(cpu, 0), value);
  } else {
    push_stack(cpu);
    finish(cpu, Op::run(source, st(cpu, 0)));
  }
  return Outcome::Next;
}

/// FLD m80: bits as they are, no exception.
template <Address A>
Outcome load_extended(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  Extended source;
  if (!read_memory<A>(cpu, operation, source)) return Outcome::Fault;
  note_memory<A>(cpu, operation);
  if (is_valid(cpu, 7)) [[unlikely]]
    return overflow_push(cpu);
  cpu.state.fpu.status &= static_cast<u16>(~x87_bit::c1);
  push_stack(cpu);
  Float80& target = st(cpu, 0);
  target.mantissa = source.mantissa;
  target.sign_exponent = source.sign_exponent;
  return Outcome::Next;
}

// --- stores --------------------------------------------------------------------------------------------------------
// Instructions that pop on the host too leave the operand there if an unmasked exception stops them: FFREE drops it.

#define VITRINE_STORE(name, type, text, unload, indefinite_value, is_floating)                          \
  struct name {                                                                                         \
    using Bits = type;                                                                                  \
    static constexpr type indefinite = indefinite_value;                                                \
    static constexpr bool floating = is_floating;                                                       \
    VITRINE_INLINE static u16 run(const Float80& in, type& out) {                                       \
      u16 status;                                                                                       \
      VITRINE_X87_MASKED("fldt %[in]", text " %[out]", unload, [out] "=m"(out), [in] "m"(in));          \
      return status;                                                                                    \
    }                                                                                                   \
    [[gnu::noinline]] static u16 run_strict(u16 own, u16 running, const Float80& in, type& out) {       \
      u16 status;                                                                                       \
      VITRINE_X87_STRICT("fldt %[in]", text " %[out]", "ffree %%st(0)", [out] "+m"(out), [in] "m"(in)); \
      return status;                                                                                    \
    }                                                                                                   \
  };
VITRINE_STORE(StoreSingle, u32, "fsts", "fstp %%st(0)", 0xFFC00000, true)
VITRINE_STORE(StoreDouble, u64, "fstl", "fstp %%st(0)", 0xFFF8000000000000, true)
VITRINE_STORE(StoreShort, u16, "fistps", "", 0x8000, false)
VITRINE_STORE(StoreLong, u32, "fistpl", "", 0x80000000, false)
VITRINE_STORE(StoreQuad, u64, "fistpll", "", 0x8000000000000000, false)
VITRINE_STORE(TruncateShort, u16, "fisttps", "", 0x8000, false)
VITRINE_STORE(TruncateLong, u32, "fisttpl", "", 0x80000000, false)
VITRINE_STORE(TruncateQuad, u64, "fisttpll", "", 0x8000000000000000, false)
constexpr Extended decimal_indefinite{0xC000000000000000, 0xFFFF};
VITRINE_STORE(StoreDecimal, Extended, "fbstp", "", decimal_indefinite, false)

/// The host's sticky flags belong to an instruction that didn't happen.
[[gnu::cold]] Outcome forget_flags() {
  asm volatile("fnclex" : : : "memory");
  return Outcome::Fault;
}

template <class Op, unsigned Pops, Address A>
Outcome store(Cpu& cpu, const Operation& operation) {
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  typename Op::Bits value = Op::indefinite;
  const bool empty = !is_valid(cpu, 0);
  u16 status = x87_bit::invalid;
  if (!empty) [[likely]] {
    bool done = false;
    if constexpr (Op::floating) done = quick_store(cpu.state.fpu.control, st(cpu, 0), value, status);
    if (!done) {
      status = x87_strict(cpu) ? Op::run_strict(strict_control(cpu), running_control(cpu), st(cpu, 0), value)
                               : Op::run(st(cpu, 0), value);
    }
  }
  const bool stores = !stopped_by(cpu, status, x87_bit::flags & ~x87_bit::precision);
  if (stores && !write_memory<A>(cpu, operation, value)) [[unlikely]]
    return forget_flags();
  note_memory<A>(cpu, operation);
  if (empty) [[unlikely]] {
    stack_fault(cpu, StackFault::Underflow);
  } else {
    finish(cpu, status);
  }
  if (stores) pop_stack(cpu, Pops);
  return Outcome::Next;
}

template <Address A>
Outcome store_extended(Cpu& cpu, const Operation& operation) {  // FSTP m80
  if (!x87_usable(cpu)) [[unlikely]]
    return refuse_x87(cpu, operation);
  const bool empty = !is_valid(cpu, 0);
  Extended value{st(cpu, 0).mantissa, st(cpu, 0).sign_exponent};
  if (empty) [[unlikely]]
    value = decimal_indefinite;  // the same bits
  const bool stores = !empty || !stopped_by(cpu, x87_bit::invalid, x87_bit::invalid);
  if (stores && !write_memory<A>(cpu, operation, value)) return Outcome::Fault;
  note_memory<A>(cpu, operation);
  if (empty) [[unlikely]] {
    stack_fault(cpu, StackFault::Underflow);
  } else {
    cpu.state.fpu.status &= static_cast<u16>(~x87_bit::c1);
  }
  if (stores) pop_stack(cpu);
  return Outcome::Next;
}

template <class Op>
Handler loads(const Decoded& decoded) {
  return by_address(decoded, [](auto a) { return &handle<load<Op, a.value>>; });
}
template <class T>
Handler integer_loads(const Decoded& decoded) {
  return by_address(decoded, [](auto a) { return &handle<fild<T, a.value>>; });
}
template <class Op, unsigned Pops>
Handler stores(const Decoded& decoded) {
  return by_address(decoded, [](auto a) { return &handle<store<Op, Pops, a.value>>; });
}

}  // namespace

Handler select_x87_memory(const Decoded& decoded, unsigned opcode, unsigned reg) {
  switch (opcode << 8 | reg) {
    case 0xD900:
      return loads<LoadSingle>(decoded);
    case 0xD902:
      return stores<StoreSingle, 0>(decoded);
    case 0xD903:
      return stores<StoreSingle, 1>(decoded);
    case 0xDB00:
      return integer_loads<i32>(decoded);
    case 0xDB01:
      return stores<TruncateLong, 1>(decoded);
    case 0xDB02:
      return stores<StoreLong, 0>(decoded);
    case 0xDB03:
      return stores<StoreLong, 1>(decoded);
    case 0xDB05:
      return by_address(decoded, [](auto a) { return &handle<load_extended<a.value>>; });
    case 0xDB07:
      return by_address(decoded, [](auto a) { return &handle<store_extended<a.value>>; });
    case 0xDD00:
      return loads<LoadDouble>(decoded);
    case 0xDD01:
      return stores<TruncateQuad, 1>(decoded);
    case 0xDD02:
      return stores<StoreDouble, 0>(decoded);
    case 0xDD03:
      return stores<StoreDouble, 1>(decoded);
    case 0xDF00:
      return integer_loads<i16>(decoded);
    case 0xDF01:
      return stores<TruncateShort, 1>(decoded);
    case 0xDF02:
      return stores<StoreShort, 0>(decoded);
    case 0xDF03:
      return stores<StoreShort, 1>(decoded);
    case 0xDF04:
      return loads<LoadDecimal>(decoded);
    case 0xDF05:
      return integer_loads<i64>(decoded);
    case 0xDF06:
      return stores<StoreDecimal, 1>(decoded);
    case 0xDF07:
      return stores<StoreQuad, 1>(decoded);
    default:
      return nullptr;
  }
}

}  // namespace vitrine
