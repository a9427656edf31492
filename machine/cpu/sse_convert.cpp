// Conversions between integers, singles and doubles.
//
// Manual: Intel SDM vol. 1 §4.8.4, table 11-1 and appendix E, vol. 2. Forms with MMX registers are computed by the SSE
// form whose upper half is zero there, which raises no flag.
#include "machine/cpu/sse.hpp"

namespace vitrine {
namespace {

// mnemonic, host instruction, bytes of a memory operand, results that may be tiny
// clang-format off
#define VITRINE_CONVERT(X) \
  X(CVTPS2PD, "cvtps2pd", 8, Never) \
  X(CVTPD2PS, "cvtpd2ps", 16, Singles) \
  X(CVTSS2SD, "cvtss2sd", 4, Never) \
  X(CVTSD2SS, "cvtsd2ss", 8, OneSingle) \
  X(CVTDQ2PS, "cvtdq2ps", 16, Never) \
  X(CVTDQ2PD, "cvtdq2pd", 8, Never) \
  X(CVTPS2DQ, "cvtps2dq", 16, Never) \
  X(CVTTPS2DQ, "cvttps2dq", 16, Never) \
  X(CVTPD2DQ, "cvtpd2dq", 16, Never) \
  X(CVTTPD2DQ, "cvttpd2dq", 16, Never)
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
VITRINE_CONVERT(VITRINE_OP)

// To a general register.
#define VITRINE_TO_INTEGER(name, text)            \
  struct name {                                   \
    static constexpr Tiny tiny = Tiny::Never;     \
    VITRINE_INLINE static Xmm apply(Xmm, Xmm b) { \
      u64 result = 0;                             \
      asm volatile(text : "=r"(result) : "x"(b)); \
      return from_low(result);                    \
    }                                             \
  };
VITRINE_TO_INTEGER(SingleTo32, "cvtss2si %1, %k0")
VITRINE_TO_INTEGER(SingleTo64, "cvtss2si %1, %q0")
VITRINE_TO_INTEGER(DoubleTo32, "cvtsd2si %1, %k0")
VITRINE_TO_INTEGER(DoubleTo64, "cvtsd2si %1, %q0")
VITRINE_TO_INTEGER(TruncatedSingleTo32, "cvttss2si %1, %k0")
VITRINE_TO_INTEGER(TruncatedSingleTo64, "cvttss2si %1, %q0")
VITRINE_TO_INTEGER(TruncatedDoubleTo32, "cvttsd2si %1, %k0")
VITRINE_TO_INTEGER(TruncatedDoubleTo64, "cvttsd2si %1, %q0")

// From a general register, whose value comes as the low half of b.
#define VITRINE_FROM_INTEGER(name, text)             \
  struct name {                                      \
    static constexpr Tiny tiny = Tiny::Never;        \
    VITRINE_INLINE static Xmm apply(Xmm a, Xmm b) {  \
      asm volatile(text : "+x"(a) : "r"(low_of(b))); \
      return a;                                      \
    }                                                \
  };
VITRINE_FROM_INTEGER(SingleFrom32, "cvtsi2ssl %k1, %0")
VITRINE_FROM_INTEGER(SingleFrom64, "cvtsi2ssq %q1, %0")
VITRINE_FROM_INTEGER(DoubleFrom32, "cvtsi2sdl %k1, %0")
VITRINE_FROM_INTEGER(DoubleFrom64, "cvtsi2sdq %q1, %0")
}  // namespace op

template <class Op, unsigned Bytes, class T, Source S>
Outcome to_integer(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  Xmm source, result;
  if (!load_source<Bytes, Alignment::Any, S>(cpu, operation, source)) return Outcome::Fault;
  if (!compute_float<Op>(cpu, source, source, result)) return Outcome::Fault;
  write_register<T>(cpu, operation.first, static_cast<T>(low_of(result)));
  return Outcome::Next;
}

template <class Op, class T, Source S>
Outcome from_integer(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  T source;
  if (!load_integer_source<T, S>(cpu, operation, source)) return Outcome::Fault;
  Xmm& target = xmm(cpu, operation.first);
  Xmm result;
  if (!compute_float<Op>(cpu, target, from_low(source), result)) return Outcome::Fault;
  target = result;
  return Outcome::Next;
}

template <class Op32, class Op64, unsigned Bytes>
Handler to_integer_handler(const Decoded& decoded) {
  if (decoded.size(0) == 8) {
    return by_source(decoded, 1, [](auto s) { return &handle<to_integer<Op64, Bytes, u64, s.value>>; });
  }
  return by_source(decoded, 1, [](auto s) { return &handle<to_integer<Op32, Bytes, u32, s.value>>; });
}

template <class Op32, class Op64>
Handler from_integer_handler(const Decoded& decoded) {
  if (decoded.size(1) == 8)
    return by_source(decoded, 1, [](auto s) { return &handle<from_integer<Op64, u64, s.value>>; });
  return by_source(decoded, 1, [](auto s) { return &handle<from_integer<Op32, u32, s.value>>; });
}

/// MMX register from XMM or memory: the low half of what the SSE form makes of it.
template <class Op, unsigned Bytes, Source S>
Outcome to_mmx(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  if (!mmx_usable(cpu)) [[unlikely]]
    return refuse_mmx(cpu, operation);
  Xmm source, result;
  if (!load_source<Bytes, Alignment::Required, S>(cpu, operation, source)) return Outcome::Fault;
  if constexpr (Bytes == 8) source = from_low(low_of(source));
  if (!compute_float<Op>(cpu, source, source, result)) return Outcome::Fault;
  write_mm(cpu, operation.first, low_of(result));
  enter_mmx(cpu);
  return Outcome::Next;
}

/// Does CVTPI2PS, CVTPI2PD with memory count as an MMX instruction? Only the first (SDM vol. 2, their entries).
enum class FromMemory : u8 { EntersMmx, LeavesX87Alone };

template <class Op, FromMemory F, Source S>
Outcome from_mmx(Cpu& cpu, const Operation& operation) {
  constexpr bool enters = S == Source::Register || F == FromMemory::EntersMmx;
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  if constexpr (enters) {
    if (!mmx_usable(cpu)) [[unlikely]]
      return refuse_mmx(cpu, operation);
  }
  u64 source;
  if (!load_mmx_source<8, S>(cpu, operation, source)) return Outcome::Fault;
  Xmm result;
  if (!compute_float<Op>(cpu, from_low(source), from_low(source), result)) return Outcome::Fault;
  Xmm& target = xmm(cpu, operation.first);
  target = F == FromMemory::EntersMmx ? Xmm{result[0], target[1]} : result;
  if constexpr (enters) enter_mmx(cpu);
  return Outcome::Next;
}

template <class Op, unsigned Bytes>
Handler to_mmx_handler(const Decoded& decoded) {
  return by_source(decoded, 1, [](auto s) { return &handle<to_mmx<Op, Bytes, s.value>>; });
}
template <class Op, FromMemory F>
Handler from_mmx_handler(const Decoded& decoded) {
  return by_source(decoded, 1, [](auto s) { return &handle<from_mmx<Op, F, s.value>>; });
}

}  // namespace

Handler select_sse_convert(const Decoded& decoded, Operation&) {
  using namespace op;
  switch (decoded.mnemonic()) {
#define VITRINE_CASE(name, text, bytes, results) \
  case ZYDIS_MNEMONIC_##name:                    \
    return sse_float_handler<op::name, bytes>(decoded);
    VITRINE_CONVERT(VITRINE_CASE)
    case ZYDIS_MNEMONIC_CVTSS2SI:
      return to_integer_handler<SingleTo32, SingleTo64, 4>(decoded);
    case ZYDIS_MNEMONIC_CVTSD2SI:
      return to_integer_handler<DoubleTo32, DoubleTo64, 8>(decoded);
    case ZYDIS_MNEMONIC_CVTTSS2SI:
      return to_integer_handler<TruncatedSingleTo32, TruncatedSingleTo64, 4>(decoded);
    case ZYDIS_MNEMONIC_CVTTSD2SI:
      return to_integer_handler<TruncatedDoubleTo32, TruncatedDoubleTo64, 8>(decoded);
    case ZYDIS_MNEMONIC_CVTSI2SS:
      return from_integer_handler<SingleFrom32, SingleFrom64>(decoded);
    case ZYDIS_MNEMONIC_CVTSI2SD:
      return from_integer_handler<DoubleFrom32, DoubleFrom64>(decoded);
    case ZYDIS_MNEMONIC_CVTPS2PI:
      return to_mmx_handler<CVTPS2DQ, 8>(decoded);
    case ZYDIS_MNEMONIC_CVTTPS2PI:
      return to_mmx_handler<CVTTPS2DQ, 8>(decoded);
    case ZYDIS_MNEMONIC_CVTPD2PI:
      return to_mmx_handler<CVTPD2DQ, 16>(decoded);
    case ZYDIS_MNEMONIC_CVTTPD2PI:
      return to_mmx_handler<CVTTPD2DQ, 16>(decoded);
    case ZYDIS_MNEMONIC_CVTPI2PS:
      return from_mmx_handler<CVTDQ2PS, FromMemory::EntersMmx>(decoded);
    case ZYDIS_MNEMONIC_CVTPI2PD:
      return from_mmx_handler<CVTDQ2PD, FromMemory::LeavesX87Alone>(decoded);
    default:
      return nullptr;
  }
}

}  // namespace vitrine
