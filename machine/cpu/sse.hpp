// How MMX and SSE instructions become handlers.
//
// Nearly all of them are a function of two vectors: the destination's old value and the source, a register or memory.
// Such a function is a struct with `apply(Xmm, Xmm)`, made of the host's own instruction; the templates here make its
// handlers for each kind of source. An instruction with an immediate has one function per value of it; the decoder puts
// the right one into Operation::immediate, so that one handler serves all.
#pragma once

#include <array>
#include <utility>

#include "machine/cpu/floating.hpp"

namespace vitrine {

using Xmm = long long __attribute__((vector_size(16)));
using Compute = Xmm (*)(Xmm, Xmm);

VITRINE_INLINE Xmm& xmm(Cpu& cpu, u8 number) { return reinterpret_cast<Xmm&>(cpu.state.fpu.xmm[number & 15]); }
VITRINE_INLINE Xmm from_low(u64 low) { return Xmm{static_cast<long long>(low), 0}; }
VITRINE_INLINE u64 low_of(Xmm value) { return static_cast<u64>(value[0]); }
VITRINE_INLINE u64 high_of(Xmm value) { return static_cast<u64>(value[1]); }

/// Where the source operand (operand 1) is.
enum class Source : u8 { Register, Immediate, Flat64, Flat32, General };

template <Source S>
inline constexpr Address address_of = S == Source::Flat64   ? Address::Flat64
                                      : S == Source::Flat32 ? Address::Flat32
                                                            : Address::General;

/// Picks the instance of a template for where operand `operand` is.
template <class Pick>
Handler by_source(const Decoded& decoded, unsigned operand, Pick&& pick) {
  if (!decoded.memory(operand)) return pick(std::integral_constant<Source, Source::Register>{});
  switch (decoded.address) {
    case Address::Flat64:
      return pick(std::integral_constant<Source, Source::Flat64>{});
    case Address::Flat32:
      return pick(std::integral_constant<Source, Source::Flat32>{});
    case Address::General:
      return pick(std::integral_constant<Source, Source::General>{});
  }
  return nullptr;
}

VITRINE_INLINE bool is_class(const Decoded& decoded, unsigned operand, ZydisRegisterClass wanted) {
  return decoded.reg(operand) && ZydisRegisterGetClass(decoded.operands[operand].reg.value) == wanted;
}
VITRINE_INLINE bool is_xmm(const Decoded& decoded, unsigned operand) {
  return is_class(decoded, operand, ZYDIS_REGCLASS_XMM);
}
VITRINE_INLINE bool is_mm(const Decoded& decoded, unsigned operand) {
  return is_class(decoded, operand, ZYDIS_REGCLASS_MMX);
}

/// An unsigned integer of this many bytes.
template <unsigned Bytes>
using UnsignedOf = std::conditional_t<
    Bytes == 1, u8,
    std::conditional_t<Bytes == 2, u16, std::conditional_t<Bytes == 4, u32, std::conditional_t<Bytes == 8, u64, Xmm>>>>;

enum class Alignment : u8 { Any, Required };

/// #GP(0) for a 128-bit operand that is not aligned (SDM vol. 1 §10.4.1.1). Returns false.
[[gnu::cold]] bool refuse_misaligned(Cpu& cpu);

/// Loads the source operand. Less than 16 bytes from memory: the rest is 0.
template <unsigned Bytes, Alignment Aligned, Source S>
VITRINE_INLINE bool load_source(Cpu& cpu, const Operation& operation, Xmm& value) {
  if constexpr (S == Source::Register) {
    value = xmm(cpu, operation.second);
    return true;
  } else if constexpr (S == Source::Immediate) {
    value = from_low(static_cast<u8>(operation.immediate));
    return true;
  } else if constexpr (Bytes == 16) {
    u64 linear;
    if (!operand_address<address_of<S>>(cpu, operation, 16, Access::Read, linear)) return false;
    if constexpr (Aligned == Alignment::Required) {
      if ((linear & 15) != 0) [[unlikely]]
        return refuse_misaligned(cpu);
    }
    return read_linear(cpu, operation, linear, value);
  } else {
    UnsignedOf<Bytes> part;
    if (!read_memory<address_of<S>>(cpu, operation, part)) return false;
    value = from_low(part);
    return true;
  }
}

template <unsigned Bytes, Source S>
VITRINE_INLINE bool load_mmx_source(Cpu& cpu, const Operation& operation, u64& value) {
  if constexpr (S == Source::Register) {
    value = read_mm(cpu, operation.second);
    return true;
  } else if constexpr (S == Source::Immediate) {
    value = static_cast<u8>(operation.immediate);
    return true;
  } else {
    UnsignedOf<Bytes> part;
    if (!read_memory<address_of<S>>(cpu, operation, part)) return false;
    value = part;
    return true;
  }
}

/// A source that is a general register or memory.
template <class T, Source S>
VITRINE_INLINE bool load_integer_source(Cpu& cpu, const Operation& operation, T& value) {
  if constexpr (S == Source::Register) {
    value = read_register<T>(cpu, operation.second);
    return true;
  } else {
    return read_memory<address_of<S>>(cpu, operation, value);
  }
}

/// Stores to memory at operand 0.
template <Alignment Aligned, Source S, class T>
VITRINE_INLINE bool store_memory(Cpu& cpu, const Operation& operation, const T& value) {
  u64 linear;
  if (!operand_address<address_of<S>>(cpu, operation, sizeof(T), Access::Write, linear)) return false;
  if constexpr (Aligned == Alignment::Required) {
    if ((linear & (sizeof(T) - 1)) != 0) [[unlikely]]
      return refuse_misaligned(cpu);
  }
  return write_linear(cpu, operation, linear, value);
}

// --- operations without floating-point exceptions ------------------------------------------------------------------

template <class Op, unsigned Bytes, Alignment Aligned, Source S>
Outcome sse_plain(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  Xmm source;
  if (!load_source<Bytes, Aligned, S>(cpu, operation, source)) return Outcome::Fault;
  Xmm& target = xmm(cpu, operation.first);
  target = Op::apply(target, source);
  return Outcome::Next;
}

template <class Op, unsigned Bytes = 16, Alignment Aligned = Alignment::Required>
Handler sse_plain_handler(const Decoded& decoded) {
  return by_source(decoded, 1, [](auto s) { return &handle<sse_plain<Op, Bytes, Aligned, s.value>>; });
}

/// As above, with the function in the immediate.
template <unsigned Bytes, Alignment Aligned, Source S>
Outcome sse_immediate(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  Xmm source;
  if (!load_source<Bytes, Aligned, S>(cpu, operation, source)) return Outcome::Fault;
  Xmm& target = xmm(cpu, operation.first);
  target = reinterpret_cast<Compute>(operation.immediate)(target, source);
  return Outcome::Next;
}

/// One function per immediate value below `Count`.
template <template <unsigned> class Op, unsigned Count>
inline constexpr auto immediate_functions = []<std::size_t... I>(std::index_sequence<I...>) {
  return std::array<Compute, Count>{&Op<static_cast<unsigned>(I)>::apply...};
}(std::make_index_sequence<Count>{});

// --- floating point ------------------------------------------------------------------------------------------------

/// Which results are floating-point numbers that may be tiny: an unmasked underflow is signalled for a tiny result even
/// if it is exact (SDM vol. 1 §4.9.1.5).
enum class Tiny : u8 { Never, Singles, Doubles, OneSingle, OneDouble };

/// Computes while some exception is unmasked. False: the exception (or #UD) was raised.
[[nodiscard, gnu::cold]] bool compute_strict(Cpu& cpu, Compute compute, Tiny tiny, Xmm a, Xmm b, Xmm& result);

template <class Op>
VITRINE_INLINE bool compute_float(Cpu& cpu, Xmm a, Xmm b, Xmm& result) {
  if (cpu.strict_fp) [[unlikely]]
    return compute_strict(cpu, &Op::apply, Op::tiny, a, b, result);
  result = Op::apply(a, b);
  return true;
}

template <class Op, unsigned Bytes, Alignment Aligned, Source S>
Outcome sse_float(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  Xmm source;
  if (!load_source<Bytes, Aligned, S>(cpu, operation, source)) return Outcome::Fault;
  Xmm& target = xmm(cpu, operation.first);
  Xmm result;
  if (!compute_float<Op>(cpu, target, source, result)) return Outcome::Fault;
  target = result;
  return Outcome::Next;
}

template <class Op, unsigned Bytes = 16>
Handler sse_float_handler(const Decoded& decoded) {
  return by_source(decoded, 1, [](auto s) { return &handle<sse_float<Op, Bytes, Alignment::Required, s.value>>; });
}

template <Tiny T, unsigned Bytes, Source S>
Outcome sse_float_immediate(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  Xmm source;
  if (!load_source<Bytes, Alignment::Required, S>(cpu, operation, source)) return Outcome::Fault;
  Xmm& target = xmm(cpu, operation.first);
  const Compute compute = reinterpret_cast<Compute>(operation.immediate);
  Xmm result;
  if (cpu.strict_fp) [[unlikely]] {
    if (!compute_strict(cpu, compute, T, target, source, result)) return Outcome::Fault;
  } else {
    result = compute(target, source);
  }
  target = result;
  return Outcome::Next;
}

// --- the files' parts of select_vector -----------------------------------------------------------------------------
Handler select_sse_move(const Decoded& decoded, Operation& operation);
Handler select_sse_integer(const Decoded& decoded, Operation& operation);
Handler select_sse_arithmetic(const Decoded& decoded, Operation& operation);
Handler select_sse_convert(const Decoded& decoded, Operation& operation);
Handler select_sse_immediate(const Decoded& decoded, Operation& operation);
Handler select_sse_element(const Decoded& decoded, Operation& operation);
Handler select_sse_string(const Decoded& decoded, Operation& operation);

}  // namespace vitrine
