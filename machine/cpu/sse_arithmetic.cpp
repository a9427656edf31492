// SSE floating-point arithmetic.
//
// Manual: Intel SDM vol. 1 ch. 10-12, §4.8-4.9, vol. 2. The host's own instruction computes; floating.hpp says how its
// flags and modes are the guest's. RCP and RSQRT, which vendors compute differently, are in sse_approximate.cpp.
#include "machine/cpu/sse.hpp"
#include "machine/cpu/sse_approximate.hpp"

namespace vitrine {
namespace {

// mnemonic, host instruction, bytes of a memory operand, results that may be tiny
// clang-format off
#define VITRINE_FLOAT(X) \
  X(ADDPS, "addps", 16, Singles) \
  X(ADDPD, "addpd", 16, Doubles) \
  X(ADDSS, "addss", 4, OneSingle) \
  X(ADDSD, "addsd", 8, OneDouble) \
  X(SUBPS, "subps", 16, Singles) \
  X(SUBPD, "subpd", 16, Doubles) \
  X(SUBSS, "subss", 4, OneSingle) \
  X(SUBSD, "subsd", 8, OneDouble) \
  X(MULPS, "mulps", 16, Singles) \
  X(MULPD, "mulpd", 16, Doubles) \
  X(MULSS, "mulss", 4, OneSingle) \
  X(MULSD, "mulsd", 8, OneDouble) \
  X(DIVPS, "divps", 16, Singles) \
  X(DIVPD, "divpd", 16, Doubles) \
  X(DIVSS, "divss", 4, OneSingle) \
  X(DIVSD, "divsd", 8, OneDouble) \
  X(MINPS, "minps", 16, Never) \
  X(MINPD, "minpd", 16, Never) \
  X(MINSS, "minss", 4, Never) \
  X(MINSD, "minsd", 8, Never) \
  X(MAXPS, "maxps", 16, Never) \
  X(MAXPD, "maxpd", 16, Never) \
  X(MAXSS, "maxss", 4, Never) \
  X(MAXSD, "maxsd", 8, Never) \
  X(SQRTPS, "sqrtps", 16, Never) \
  X(SQRTPD, "sqrtpd", 16, Never) \
  X(SQRTSS, "sqrtss", 4, Never) \
  X(SQRTSD, "sqrtsd", 8, Never) \
  X(ADDSUBPS, "addsubps", 16, Singles) \
  X(ADDSUBPD, "addsubpd", 16, Doubles) \
  X(HADDPS, "haddps", 16, Singles) \
  X(HADDPD, "haddpd", 16, Doubles) \
  X(HSUBPS, "hsubps", 16, Singles) \
  X(HSUBPD, "hsubpd", 16, Doubles)
// clang-format on

// clang-format off
#define VITRINE_COMPARE(X) \
  X(COMISS, "comiss", 4) \
  X(COMISD, "comisd", 8) \
  X(UCOMISS, "ucomiss", 4) \
  X(UCOMISD, "ucomisd", 8)
// clang-format on

namespace op {
#define VITRINE_OP(name, text, bytes, results)         \
  struct name {                                        \
    static constexpr Tiny tiny = Tiny::results;        \
    VITRINE_INLINE static Xmm apply(Xmm a, Xmm b) {    \
      asm volatile(text " %1, %0" : "+x"(a) : "x"(b)); \
      return a;                                        \
    }                                                  \
  };
VITRINE_FLOAT(VITRINE_OP)

// The result is what LAHF sees: ZF, PF, CF; the other status flags are clear.
#define VITRINE_COMPARE_OP(name, text, bytes)                                     \
  struct name {                                                                   \
    static constexpr Tiny tiny = Tiny::Never;                                     \
    VITRINE_INLINE static Xmm apply(Xmm a, Xmm b) {                               \
      u64 flags;                                                                  \
      asm volatile(text " %2, %1\n\tlahf" : "=a"(flags) : "x"(a), "x"(b) : "cc"); \
      return from_low(flags & 0xFF00);                                            \
    }                                                                             \
  };
VITRINE_COMPARE(VITRINE_COMPARE_OP)
}  // namespace op

template <class Op, unsigned Bytes, Source S>
Outcome compare(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  Xmm source;
  if (!load_source<Bytes, Alignment::Required, S>(cpu, operation, source)) return Outcome::Fault;
  Xmm flags;
  if (!compute_float<Op>(cpu, xmm(cpu, operation.first), source, flags)) return Outcome::Fault;
  cpu.state.status = static_cast<u16>(low_of(flags));
  return Outcome::Next;
}

enum class Width : u8 { One, Four };
template <u32 (*Approximate)(u32), Width W>
struct Approximation {
  static Xmm apply(Xmm a, Xmm b) {
    const u64 low = low_of(b), high = high_of(b);
    const u64 first = Approximate(static_cast<u32>(low));
    if constexpr (W == Width::One) {
      return Xmm{static_cast<long long>((low_of(a) & 0xFFFFFFFF00000000) | first), a[1]};
    } else {
      const u64 second = Approximate(static_cast<u32>(low >> 32)), third = Approximate(static_cast<u32>(high)),
                fourth = Approximate(static_cast<u32>(high >> 32));
      return Xmm{static_cast<long long>(second << 32 | first), static_cast<long long>(fourth << 32 | third)};
    }
  }
};

}  // namespace

Handler select_sse_arithmetic(const Decoded& decoded, Operation&) {
  switch (decoded.mnemonic()) {
#define VITRINE_CASE(name, text, bytes, results) \
  case ZYDIS_MNEMONIC_##name:                    \
    return sse_float_handler<op::name, bytes>(decoded);
    VITRINE_FLOAT(VITRINE_CASE)
#define VITRINE_COMPARE_CASE(name, text, bytes) \
  case ZYDIS_MNEMONIC_##name:                   \
    return by_source(decoded, 1, [](auto s) { return &handle<compare<op::name, bytes, s.value>>; });
    VITRINE_COMPARE(VITRINE_COMPARE_CASE)
    case ZYDIS_MNEMONIC_RCPPS:
      return sse_plain_handler<Approximation<reciprocal, Width::Four>>(decoded);
    case ZYDIS_MNEMONIC_RCPSS:
      return sse_plain_handler<Approximation<reciprocal, Width::One>, 4>(decoded);
    case ZYDIS_MNEMONIC_RSQRTPS:
      return sse_plain_handler<Approximation<reciprocal_root, Width::Four>>(decoded);
    case ZYDIS_MNEMONIC_RSQRTSS:
      return sse_plain_handler<Approximation<reciprocal_root, Width::One>, 4>(decoded);
    default:
      return nullptr;
  }
}

}  // namespace vitrine
