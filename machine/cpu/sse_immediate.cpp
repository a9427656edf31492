// SSE instructions that an immediate steers: shuffles, blends, comparisons, rounding, dot products.
//
// Manual: Intel SDM vol. 2. Each value of the immediate has a function made of the host's instruction with just that
// immediate; decoding puts its address into Operation::immediate.
#include "machine/cpu/sse.hpp"

namespace vitrine {
namespace {

#define VITRINE_IMMEDIATE(name, text)                              \
  template <unsigned I>                                            \
  struct name {                                                    \
    static Xmm apply(Xmm a, Xmm b) {                               \
      asm volatile(text " %2, %1, %0" : "+x"(a) : "x"(b), "i"(I)); \
      return a;                                                    \
    }                                                              \
  };
VITRINE_IMMEDIATE(Pshufd, "pshufd")
VITRINE_IMMEDIATE(Pshuflw, "pshuflw")
VITRINE_IMMEDIATE(Pshufhw, "pshufhw")
VITRINE_IMMEDIATE(Shufps, "shufps")
VITRINE_IMMEDIATE(Shufpd, "shufpd")
VITRINE_IMMEDIATE(Blendps, "blendps")
VITRINE_IMMEDIATE(Blendpd, "blendpd")
VITRINE_IMMEDIATE(Pblendw, "pblendw")
VITRINE_IMMEDIATE(Palignr, "palignr")
VITRINE_IMMEDIATE(Mpsadbw, "mpsadbw")
VITRINE_IMMEDIATE(Cmpps, "cmpps")
VITRINE_IMMEDIATE(Cmppd, "cmppd")
VITRINE_IMMEDIATE(Cmpss, "cmpss")
VITRINE_IMMEDIATE(Cmpsd, "cmpsd")
VITRINE_IMMEDIATE(Roundps, "roundps")
VITRINE_IMMEDIATE(Roundpd, "roundpd")
VITRINE_IMMEDIATE(Roundss, "roundss")
VITRINE_IMMEDIATE(Roundsd, "roundsd")
VITRINE_IMMEDIATE(Dpps, "dpps")
VITRINE_IMMEDIATE(Dppd, "dppd")

#define VITRINE_BYTE_SHIFT(name, text)        \
  template <unsigned I>                       \
  struct name {                               \
    static Xmm apply(Xmm a, Xmm) {            \
      asm(text " %1, %0" : "+x"(a) : "i"(I)); \
      return a;                               \
    }                                         \
  };
VITRINE_BYTE_SHIFT(Pslldq, "pslldq")
VITRINE_BYTE_SHIFT(Psrldq, "psrldq")

/// Picks the function for this immediate; `mask` keeps the bits that count.
template <template <unsigned> class Op, unsigned Count>
void bind(Operation& operation, u64 index) {
  operation.immediate = reinterpret_cast<u64>(immediate_functions<Op, Count>[index < Count ? index : Count - 1]);
}

Handler plain(const Decoded& decoded) {
  return by_source(decoded, 1, [](auto s) { return &handle<sse_immediate<16, Alignment::Required, s.value>>; });
}

template <Tiny T, unsigned Bytes>
Handler floating(const Decoded& decoded) {
  return by_source(decoded, 1, [](auto s) { return &handle<sse_float_immediate<T, Bytes, s.value>>; });
}

// MMX: PSHUFW is PSHUFLW on the lower half; PALIGNR shifts the joined operands.
template <Source S>
Outcome pshufw(Cpu& cpu, const Operation& operation) {
  if (!mmx_usable(cpu)) [[unlikely]]
    return refuse_mmx(cpu, operation);
  u64 source;
  if (!load_mmx_source<8, S>(cpu, operation, source)) return Outcome::Fault;
  const Xmm value = from_low(source);
  write_mm(cpu, operation.first, low_of(reinterpret_cast<Compute>(operation.immediate)(value, value)));
  enter_mmx(cpu);
  return Outcome::Next;
}

template <Source S>
Outcome palignr_mm(Cpu& cpu, const Operation& operation) {
  if (!mmx_usable(cpu)) [[unlikely]]
    return refuse_mmx(cpu, operation);
  u64 source;
  if (!load_mmx_source<8, S>(cpu, operation, source)) return Outcome::Fault;
  const u128 joined = u128{read_mm(cpu, operation.first)} << 64 | source;
  const unsigned bytes = static_cast<u8>(operation.immediate);
  write_mm(cpu, operation.first, bytes < 16 ? static_cast<u64>(joined >> 8 * bytes) : 0);
  enter_mmx(cpu);
  return Outcome::Next;
}

}  // namespace

Handler select_sse_immediate(const Decoded& decoded, Operation& operation) {
  const u8 value = static_cast<u8>(operation.immediate);
  switch (decoded.mnemonic()) {
    case ZYDIS_MNEMONIC_PSHUFD:
      bind<Pshufd, 256>(operation, value);
      return plain(decoded);
    case ZYDIS_MNEMONIC_PSHUFLW:
      bind<Pshuflw, 256>(operation, value);
      return plain(decoded);
    case ZYDIS_MNEMONIC_PSHUFHW:
      bind<Pshufhw, 256>(operation, value);
      return plain(decoded);
    case ZYDIS_MNEMONIC_SHUFPS:
      bind<Shufps, 256>(operation, value);
      return plain(decoded);
    case ZYDIS_MNEMONIC_SHUFPD:
      bind<Shufpd, 4>(operation, value & 3);
      return plain(decoded);
    case ZYDIS_MNEMONIC_BLENDPS:
      bind<Blendps, 16>(operation, value & 15);
      return plain(decoded);
    case ZYDIS_MNEMONIC_BLENDPD:
      bind<Blendpd, 4>(operation, value & 3);
      return plain(decoded);
    case ZYDIS_MNEMONIC_PBLENDW:
      bind<Pblendw, 256>(operation, value);
      return plain(decoded);
    case ZYDIS_MNEMONIC_MPSADBW:
      bind<Mpsadbw, 8>(operation, value & 7);
      return plain(decoded);
    case ZYDIS_MNEMONIC_PALIGNR:
      if (!is_xmm(decoded, 0)) return by_source(decoded, 1, [](auto s) { return &handle<palignr_mm<s.value>>; });
      bind<Palignr, 33>(operation, value);  // 32 and more: all zero
      return plain(decoded);
    case ZYDIS_MNEMONIC_PSLLDQ:
      bind<Pslldq, 17>(operation, value);  // 16 and more: all zero
      return &handle<sse_immediate<16, Alignment::Any, Source::Immediate>>;
    case ZYDIS_MNEMONIC_PSRLDQ:
      bind<Psrldq, 17>(operation, value);
      return &handle<sse_immediate<16, Alignment::Any, Source::Immediate>>;
    case ZYDIS_MNEMONIC_PSHUFW:
      bind<Pshuflw, 256>(operation, value);
      return by_source(decoded, 1, [](auto s) { return &handle<pshufw<s.value>>; });

    case ZYDIS_MNEMONIC_CMPPS:
      bind<Cmpps, 8>(operation, value & 7);
      return floating<Tiny::Never, 16>(decoded);
    case ZYDIS_MNEMONIC_CMPPD:
      bind<Cmppd, 8>(operation, value & 7);
      return floating<Tiny::Never, 16>(decoded);
    case ZYDIS_MNEMONIC_CMPSS:
      bind<Cmpss, 8>(operation, value & 7);
      return floating<Tiny::Never, 4>(decoded);
    case ZYDIS_MNEMONIC_CMPSD:  // also the name of a string instruction
      if (!is_xmm(decoded, 0)) return nullptr;
      bind<Cmpsd, 8>(operation, value & 7);
      return floating<Tiny::Never, 8>(decoded);
    case ZYDIS_MNEMONIC_ROUNDPS:
      bind<Roundps, 16>(operation, value & 15);
      return floating<Tiny::Never, 16>(decoded);
    case ZYDIS_MNEMONIC_ROUNDPD:
      bind<Roundpd, 16>(operation, value & 15);
      return floating<Tiny::Never, 16>(decoded);
    case ZYDIS_MNEMONIC_ROUNDSS:
      bind<Roundss, 16>(operation, value & 15);
      return floating<Tiny::Never, 4>(decoded);
    case ZYDIS_MNEMONIC_ROUNDSD:
      bind<Roundsd, 16>(operation, value & 15);
      return floating<Tiny::Never, 8>(decoded);
    case ZYDIS_MNEMONIC_DPPS:
      bind<Dpps, 256>(operation, value);
      return floating<Tiny::Singles, 16>(decoded);
    case ZYDIS_MNEMONIC_DPPD:
      bind<Dppd, 256>(operation, value);
      return floating<Tiny::Doubles, 16>(decoded);
    default:
      return nullptr;
  }
}

}  // namespace vitrine
