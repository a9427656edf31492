// MMX and SSE integer and bitwise instructions: one table for both.
//
// Manual: Intel SDM vol. 2. An MMX instruction is computed by its SSE twin on the lower 64 bits; the column `Shape`
// says what that takes where elements don't stay in their lanes. MMX state on the host is never touched.
#include "machine/cpu/sse.hpp"

namespace vitrine {
namespace {

enum class Shape : u8 {
  Lanes,    ///< each element by itself
  Low,      ///< interleaves lower halves; the MMX form reads 32 bits from memory
  High,     ///< interleaves upper halves: for MMX that is the upper half of what the twin makes of the lower ones
  Joined,   ///< packs, horizontal: for MMX both operands are joined to one vector first
  Shuffle,  ///< PSHUFB: indexes have a bit less
};

// mnemonic, host instruction, shape
// clang-format off
#define VITRINE_MMX_AND_SSE(X) \
  X(PADDB, "paddb", Lanes) \
  X(PADDW, "paddw", Lanes) \
  X(PADDD, "paddd", Lanes) \
  X(PADDQ, "paddq", Lanes) \
  X(PADDSB, "paddsb", Lanes) \
  X(PADDSW, "paddsw", Lanes) \
  X(PADDUSB, "paddusb", Lanes) \
  X(PADDUSW, "paddusw", Lanes) \
  X(PSUBB, "psubb", Lanes) \
  X(PSUBW, "psubw", Lanes) \
  X(PSUBD, "psubd", Lanes) \
  X(PSUBQ, "psubq", Lanes) \
  X(PSUBSB, "psubsb", Lanes) \
  X(PSUBSW, "psubsw", Lanes) \
  X(PSUBUSB, "psubusb", Lanes) \
  X(PSUBUSW, "psubusw", Lanes) \
  X(PMULLW, "pmullw", Lanes) \
  X(PMULHW, "pmulhw", Lanes) \
  X(PMULHUW, "pmulhuw", Lanes) \
  X(PMULUDQ, "pmuludq", Lanes) \
  X(PMADDWD, "pmaddwd", Lanes) \
  X(PMADDUBSW, "pmaddubsw", Lanes) \
  X(PMULHRSW, "pmulhrsw", Lanes) \
  X( PAND, "pand", Lanes) \
  X(PANDN, "pandn", Lanes) \
  X(POR, "por", Lanes) \
  X(PXOR, "pxor", Lanes) \
  X(PCMPEQB, "pcmpeqb", Lanes) \
  X(PCMPEQW, "pcmpeqw", Lanes) \
  X(PCMPEQD, "pcmpeqd", Lanes) \
  X(PCMPGTB, "pcmpgtb", Lanes) \
  X(PCMPGTW, "pcmpgtw", Lanes) \
  X(PCMPGTD, "pcmpgtd", Lanes) \
  X(PAVGB, "pavgb", Lanes) \
  X(PAVGW, "pavgw", Lanes) \
  X(PMINUB, "pminub", Lanes) \
  X(PMINSW, "pminsw", Lanes) \
  X(PMAXUB, "pmaxub", Lanes) \
  X(PMAXSW, "pmaxsw", Lanes) \
  X(PSADBW, "psadbw", Lanes) \
  X(PABSB, "pabsb", Lanes) \
  X(PABSW, "pabsw", Lanes) \
  X(PABSD, "pabsd", Lanes) \
  X(PSIGNB, "psignb", Lanes) \
  X(PSIGNW, "psignw", Lanes) \
  X(PSIGND, "psignd", Lanes) \
  X( PACKSSWB, "packsswb", Joined) \
  X(PACKSSDW, "packssdw", Joined) \
  X(PACKUSWB, "packuswb", Joined) \
  X(PHADDW, "phaddw", Joined) \
  X(PHADDD, "phaddd", Joined) \
  X(PHADDSW, "phaddsw", Joined) \
  X(PHSUBW, "phsubw", Joined) \
  X(PHSUBD, "phsubd", Joined) \
  X(PHSUBSW, "phsubsw", Joined) \
  X(PUNPCKLBW, "punpcklbw", Low) \
  X(PUNPCKLWD, "punpcklwd", Low) \
  X(PUNPCKLDQ, "punpckldq", Low) \
  X(PSHUFB, "pshufb", Shuffle)
// clang-format on

// As above; the MMX form is made of the instruction in the third column.
// clang-format off
#define VITRINE_MMX_AND_SSE_HIGH(X) \
  X(PUNPCKHBW, "punpckhbw", "punpcklbw") \
  X(PUNPCKHWD, "punpckhwd", "punpcklwd") \
  X(PUNPCKHDQ, "punpckhdq", "punpckldq")
// clang-format on

// Shifts: operand 1 may be an immediate too.
// clang-format off
#define VITRINE_SHIFTS(X) \
  X(PSLLW, "psllw", Lanes) \
  X(PSLLD, "pslld", Lanes) \
  X(PSLLQ, "psllq", Lanes) \
  X(PSRLW, "psrlw", Lanes) \
  X(PSRLD, "psrld", Lanes) \
  X(PSRLQ, "psrlq", Lanes) \
  X(PSRAW, "psraw", Lanes) \
  X(PSRAD, "psrad", Lanes)
// clang-format on

// mnemonic, host instruction, bytes of a memory operand
// clang-format off
#define VITRINE_SSE_ONLY(X) \
  X(PUNPCKLQDQ, "punpcklqdq", 16) \
  X(PUNPCKHQDQ, "punpckhqdq", 16) \
  X(PCMPEQQ, "pcmpeqq", 16) \
  X(PCMPGTQ, "pcmpgtq", 16) \
  X(PACKUSDW, "packusdw", 16) \
  X(PMULLD, "pmulld", 16) \
  X(PMULDQ, "pmuldq", 16) \
  X(PMINSB, "pminsb", 16) \
  X(PMINSD, "pminsd", 16) \
  X(PMINUW, "pminuw", 16) \
  X(PMINUD, "pminud", 16) \
  X(PMAXSB, "pmaxsb", 16) \
  X(PMAXSD, "pmaxsd", 16) \
  X(PMAXUW, "pmaxuw", 16) \
  X(PMAXUD, "pmaxud", 16) \
  X(PHMINPOSUW, "phminposuw", 16) \
  X(PMOVSXBW, "pmovsxbw", 8) \
  X(PMOVSXBD, "pmovsxbd", 4) \
  X(PMOVSXBQ, "pmovsxbq", 2) \
  X(PMOVSXWD, "pmovsxwd", 8) \
  X(PMOVSXWQ, "pmovsxwq", 4) \
  X(PMOVSXDQ, "pmovsxdq", 8) \
  X(PMOVZXBW, "pmovzxbw", 8) \
  X(PMOVZXBD, "pmovzxbd", 4) \
  X(PMOVZXBQ, "pmovzxbq", 2) \
  X(PMOVZXWD, "pmovzxwd", 8) \
  X(PMOVZXWQ, "pmovzxwq", 4) \
  X(PMOVZXDQ, "pmovzxdq", 8) \
  X(ANDPS, "andps", 16) \
  X(ANDPD, "andpd", 16) \
  X(ANDNPS, "andnps", 16) \
  X(ANDNPD, "andnpd", 16) \
  X(ORPS, "orps", 16) \
  X(ORPD, "orpd", 16) \
  X(XORPS, "xorps", 16) \
  X(XORPD, "xorpd", 16) \
  X(UNPCKLPS, "unpcklps", 16) \
  X(UNPCKLPD, "unpcklpd", 16) \
  X(UNPCKHPS, "unpckhps", 16) \
  X(UNPCKHPD, "unpckhpd", 16) \
  X(MOVSHDUP, "movshdup", 16) \
  X(MOVSLDUP, "movsldup", 16) \
  X(MOVDDUP, "movddup", 8)
// clang-format on

template <class Op>
VITRINE_INLINE u64 apply_mmx(u64 a, u64 b) {
  if constexpr (Op::shape == Shape::Joined) {
    const Xmm joined{static_cast<long long>(a), static_cast<long long>(b)};
    return low_of(Op::apply(joined, joined));
  } else if constexpr (Op::shape == Shape::High) {
    return high_of(Op::apply_low(from_low(a), from_low(b)));
  } else if constexpr (Op::shape == Shape::Shuffle) {
    return low_of(Op::apply(from_low(a), from_low(b & 0x8787878787878787)));
  } else {
    return low_of(Op::apply(from_low(a), from_low(b)));
  }
}

#define VITRINE_OP(name, text, kind)                             \
  struct name {                                                  \
    [[maybe_unused]] static constexpr Shape shape = Shape::kind; \
    VITRINE_INLINE static Xmm apply(Xmm a, Xmm b) {              \
      asm(text " %1, %0" : "+x"(a) : "x"(b));                    \
      return a;                                                  \
    }                                                            \
  };
#define VITRINE_OP_HIGH(name, text, low_text)                    \
  struct name {                                                  \
    [[maybe_unused]] static constexpr Shape shape = Shape::High; \
    VITRINE_INLINE static Xmm apply(Xmm a, Xmm b) {              \
      asm(text " %1, %0" : "+x"(a) : "x"(b));                    \
      return a;                                                  \
    }                                                            \
    VITRINE_INLINE static Xmm apply_low(Xmm a, Xmm b) {          \
      asm(low_text " %1, %0" : "+x"(a) : "x"(b));                \
      return a;                                                  \
    }                                                            \
  };
#define VITRINE_OP_SSE(name, text, bytes) VITRINE_OP(name, text, Lanes)
namespace op {
VITRINE_MMX_AND_SSE(VITRINE_OP)
VITRINE_SHIFTS(VITRINE_OP)
VITRINE_MMX_AND_SSE_HIGH(VITRINE_OP_HIGH)
VITRINE_SSE_ONLY(VITRINE_OP_SSE)
}  // namespace op

template <class Op, Source S>
Outcome mmx_plain(Cpu& cpu, const Operation& operation) {
  if (!mmx_usable(cpu)) [[unlikely]]
    return refuse_mmx(cpu, operation);
  u64 source;
  if (!load_mmx_source < Op::shape == Shape::Low ? 4 : 8, S > (cpu, operation, source)) return Outcome::Fault;
  write_mm(cpu, operation.first, apply_mmx<Op>(read_mm(cpu, operation.first), source));
  enter_mmx(cpu);
  return Outcome::Next;
}

template <class Op>
Handler either(const Decoded& decoded) {
  if (is_xmm(decoded, 0)) return sse_plain_handler<Op>(decoded);
  return by_source(decoded, 1, [](auto s) { return &handle<mmx_plain<Op, s.value>>; });
}

template <class Op>
Handler shift(const Decoded& decoded) {
  if (!decoded.immediate(1)) return either<Op>(decoded);
  if (is_xmm(decoded, 0)) return &handle<sse_plain<Op, 16, Alignment::Required, Source::Immediate>>;
  return &handle<mmx_plain<Op, Source::Immediate>>;
}

// Blends by the sign bits of XMM0, the implicit operand.
#define VITRINE_BLEND(name, text)                                                                \
  template <Source S>                                                                            \
  Outcome name(Cpu& cpu, const Operation& operation) {                                           \
    if (!sse_usable(cpu)) [[unlikely]]                                                           \
      return refuse_sse(cpu);                                                                    \
    Xmm source;                                                                                  \
    if (!load_source<16, Alignment::Required, S>(cpu, operation, source)) return Outcome::Fault; \
    Xmm& target = xmm(cpu, operation.first);                                                     \
    Xmm value = target;                                                                          \
    asm(text " %%xmm0, %1, %0" : "+x"(value) : "x"(source), "Yz"(xmm(cpu, 0)));                  \
    target = value;                                                                              \
    return Outcome::Next;                                                                        \
  }
VITRINE_BLEND(blend_bytes, "pblendvb")
VITRINE_BLEND(blend_singles, "blendvps")
VITRINE_BLEND(blend_doubles, "blendvpd")

template <Source S>
Outcome ptest(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  Xmm source;
  if (!load_source<16, Alignment::Required, S>(cpu, operation, source)) return Outcome::Fault;
  u64 flags;
  asm("ptest %2, %1\n\tlahf" : "=a"(flags) : "x"(xmm(cpu, operation.first)), "x"(source) : "cc");
  cpu.state.status = static_cast<u16>(flags & 0xFF00);  // OF, AF, PF, SF are clear
  return Outcome::Next;
}

}  // namespace

Handler select_sse_integer(const Decoded& decoded, Operation&) {
  switch (decoded.mnemonic()) {
#define VITRINE_CASE(name, text, kind) \
  case ZYDIS_MNEMONIC_##name:          \
    return either<op::name>(decoded);
    VITRINE_MMX_AND_SSE(VITRINE_CASE)
    VITRINE_MMX_AND_SSE_HIGH(VITRINE_CASE)
#define VITRINE_SHIFT_CASE(name, text, kind) \
  case ZYDIS_MNEMONIC_##name:                \
    return shift<op::name>(decoded);
    VITRINE_SHIFTS(VITRINE_SHIFT_CASE)
#define VITRINE_SSE_CASE(name, text, bytes) \
  case ZYDIS_MNEMONIC_##name:               \
    return sse_plain_handler<op::name, bytes>(decoded);
    VITRINE_SSE_ONLY(VITRINE_SSE_CASE)
    case ZYDIS_MNEMONIC_PBLENDVB:
      return by_source(decoded, 1, [](auto s) { return &handle<blend_bytes<s.value>>; });
    case ZYDIS_MNEMONIC_BLENDVPS:
      return by_source(decoded, 1, [](auto s) { return &handle<blend_singles<s.value>>; });
    case ZYDIS_MNEMONIC_BLENDVPD:
      return by_source(decoded, 1, [](auto s) { return &handle<blend_doubles<s.value>>; });
    case ZYDIS_MNEMONIC_PTEST:
      return by_source(decoded, 1, [](auto s) { return &handle<ptest<s.value>>; });
    default:
      return nullptr;
  }
}

}  // namespace vitrine
