// MMX and SSE data movement.
//
// Manual: Intel SDM vol. 2. Memory operands of the "aligned" forms raise #GP when they are not on a 16-byte boundary.
#include "machine/cpu/sse.hpp"

namespace vitrine {
namespace {

// What a load makes of the register's old value and the operand.
struct Copy {
  VITRINE_INLINE static Xmm apply(Xmm, Xmm b) { return b; }
};
struct CopyLow64 {  // MOVQ
  VITRINE_INLINE static Xmm apply(Xmm, Xmm b) { return Xmm{b[0], 0}; }
};
struct MergeLow32 {  // MOVSS between registers
  VITRINE_INLINE static Xmm apply(Xmm a, Xmm b) {
    asm("movss %1, %0" : "+x"(a) : "x"(b));
    return a;
  }
};
struct MergeLow64 {  // MOVSD between registers, MOVLPS from memory
  VITRINE_INLINE static Xmm apply(Xmm a, Xmm b) { return Xmm{b[0], a[1]}; }
};
struct LowToHigh {  // MOVLHPS, MOVHPS from memory
  VITRINE_INLINE static Xmm apply(Xmm a, Xmm b) { return Xmm{a[0], b[0]}; }
};
struct HighToLow {  // MOVHLPS
  VITRINE_INLINE static Xmm apply(Xmm a, Xmm b) { return Xmm{b[1], a[1]}; }
};

enum class Part : u8 { Low, High };

template <unsigned Bytes, Part P, Alignment Aligned, Source S>
Outcome store(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  const Xmm value = xmm(cpu, operation.second);
  bool stored;
  if constexpr (Bytes == 16) {
    stored = store_memory<Aligned, S>(cpu, operation, value);
  } else {
    const u64 part = P == Part::High ? high_of(value) : low_of(value);
    stored = store_memory<Aligned, S>(cpu, operation, static_cast<UnsignedOf<Bytes>>(part));
  }
  return stored ? Outcome::Next : Outcome::Fault;
}

template <unsigned Bytes, Part P = Part::Low, Alignment Aligned = Alignment::Any>
Handler store_handler(const Decoded& decoded) {
  return by_source(decoded, 0, [](auto s) -> Handler {
    if constexpr (s.value == Source::Register)
      return nullptr;
    else
      return &handle<store<Bytes, P, Aligned, s.value>>;
  });
}

/// MOVAPS and the like: register or memory on either side.
template <Alignment Aligned>
Handler move_128(const Decoded& decoded) {
  if (decoded.memory(0)) return store_handler<16, Part::Low, Aligned>(decoded);
  return sse_plain_handler<Copy, 16, Aligned>(decoded);
}

/// MOVSS, MOVSD: between registers they merge, from memory they clear the rest.
template <unsigned Bytes, class Merge>
Handler move_scalar(const Decoded& decoded) {
  if (decoded.memory(0)) return store_handler<Bytes>(decoded);
  if (decoded.memory(1)) return sse_plain_handler<Copy, Bytes>(decoded);
  return &handle<sse_plain<Merge, 16, Alignment::Any, Source::Register>>;
}

// General register or memory to XMM; the rest becomes 0.
template <class T, Source S>
Outcome load_xmm(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  T value;
  if (!load_integer_source<T, S>(cpu, operation, value)) return Outcome::Fault;
  xmm(cpu, operation.first) = from_low(value);
  return Outcome::Next;
}

template <class T>
Outcome xmm_to_register(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  write_register<T>(cpu, operation.first, static_cast<T>(low_of(xmm(cpu, operation.second))));
  return Outcome::Next;
}

template <class T, Source S>
Outcome load_mm(Cpu& cpu, const Operation& operation) {
  if (!mmx_usable(cpu)) [[unlikely]]
    return refuse_mmx(cpu, operation);
  T value;
  if (!load_integer_source<T, S>(cpu, operation, value)) return Outcome::Fault;
  write_mm(cpu, operation.first, value);
  enter_mmx(cpu);
  return Outcome::Next;
}

template <class T, Source S>
Outcome store_mm(Cpu& cpu, const Operation& operation) {
  if (!mmx_usable(cpu)) [[unlikely]]
    return refuse_mmx(cpu, operation);
  const T value = static_cast<T>(read_mm(cpu, operation.second));
  if constexpr (S == Source::Register) {
    write_register<T>(cpu, operation.first, value);
  } else {
    if (!store_memory<Alignment::Any, S>(cpu, operation, value)) return Outcome::Fault;
  }
  enter_mmx(cpu);
  return Outcome::Next;
}

Outcome mm_to_mm(Cpu& cpu, const Operation& operation) {
  if (!mmx_usable(cpu)) [[unlikely]]
    return refuse_mmx(cpu, operation);
  write_mm(cpu, operation.first, read_mm(cpu, operation.second));
  enter_mmx(cpu);
  return Outcome::Next;
}

Outcome movq2dq(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  if (!mmx_usable(cpu)) [[unlikely]]
    return refuse_mmx(cpu, operation);
  xmm(cpu, operation.first) = from_low(read_mm(cpu, operation.second));
  enter_mmx(cpu);
  return Outcome::Next;
}

Outcome movdq2q(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  if (!mmx_usable(cpu)) [[unlikely]]
    return refuse_mmx(cpu, operation);
  write_mm(cpu, operation.first, low_of(xmm(cpu, operation.second)));
  enter_mmx(cpu);
  return Outcome::Next;
}

/// MOVD and MOVQ with T = u32 or u64.
template <class T>
Handler move_integer(const Decoded& decoded) {
  if (is_xmm(decoded, 0)) {
    if (is_xmm(decoded, 1)) return &handle<sse_plain<CopyLow64, 16, Alignment::Any, Source::Register>>;
    return by_source(decoded, 1, [](auto s) { return &handle<load_xmm<T, s.value>>; });
  }
  if (is_xmm(decoded, 1)) {
    return decoded.memory(0) ? store_handler<sizeof(T)>(decoded) : &handle<xmm_to_register<T>>;
  }
  if (is_mm(decoded, 0)) {
    if (is_mm(decoded, 1)) return &handle<mm_to_mm>;
    return by_source(decoded, 1, [](auto s) { return &handle<load_mm<T, s.value>>; });
  }
  if (is_mm(decoded, 1)) return by_source(decoded, 0, [](auto s) { return &handle<store_mm<T, s.value>>; });
  return nullptr;
}

template <class T, Source S>
Outcome movnti(Cpu& cpu, const Operation& operation) {
  const T value = read_register<T>(cpu, operation.second);
  return store_memory<Alignment::Any, S>(cpu, operation, value) ? Outcome::Next : Outcome::Fault;
}

template <class T>
Handler movnti_handler(const Decoded& decoded) {
  return by_source(decoded, 0, [](auto s) -> Handler {
    if constexpr (s.value == Source::Register)
      return nullptr;
    else
      return &handle<movnti<T, s.value>>;
  });
}

// Sign bits to a general register.
#define VITRINE_MASK(name, text)                                        \
  Outcome name(Cpu& cpu, const Operation& operation) {                  \
    if (!sse_usable(cpu)) [[unlikely]]                                  \
      return refuse_sse(cpu);                                           \
    u32 mask;                                                           \
    asm(text " %1, %0" : "=r"(mask) : "x"(xmm(cpu, operation.second))); \
    write_register<u32>(cpu, operation.first, mask);                    \
    return Outcome::Next;                                               \
  }
VITRINE_MASK(movmskps, "movmskps")
VITRINE_MASK(movmskpd, "movmskpd")
VITRINE_MASK(pmovmskb_xmm, "pmovmskb")

Outcome pmovmskb_mm(Cpu& cpu, const Operation& operation) {
  if (!mmx_usable(cpu)) [[unlikely]]
    return refuse_mmx(cpu, operation);
  u32 mask;
  asm("pmovmskb %1, %0" : "=r"(mask) : "x"(from_low(read_mm(cpu, operation.second))));
  write_register<u32>(cpu, operation.first, mask);
  enter_mmx(cpu);
  return Outcome::Next;
}

/// Stores the bytes whose mask bit is set; the others are not touched, and cannot fault.
/// unverified: whether hardware faults on a wholly masked byte in an absent page; the manual leaves it open.
bool store_masked(Cpu& cpu, const Operation& operation, const u8* bytes, const u8* mask, unsigned count) {
  const u64 offset = effective_address<Address::General>(cpu, operation);
  u64 linear;
  if (!segment_to_linear(cpu, static_cast<SegmentIndex>(operation.segment), offset, count, Access::Write, linear)) {
    return false;
  }
  for (unsigned i = 0; i < count; ++i) {
    if ((mask[i] & 0x80) != 0 && !cpu.can_access(&operation, linear + i, 1, Access::Write)) return false;
  }
  for (unsigned i = 0; i < count; ++i) {
    if ((mask[i] & 0x80) != 0 && !write_linear(cpu, operation, linear + i, bytes[i])) return false;
  }
  return true;
}

Outcome maskmovdqu(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  const Vector128 value = cpu.state.fpu.xmm[operation.first & 15], mask = cpu.state.fpu.xmm[operation.second & 15];
  return store_masked(cpu, operation, reinterpret_cast<const u8*>(&value), reinterpret_cast<const u8*>(&mask), 16)
             ? Outcome::Next
             : Outcome::Fault;
}

Outcome maskmovq(Cpu& cpu, const Operation& operation) {
  if (!mmx_usable(cpu)) [[unlikely]]
    return refuse_mmx(cpu, operation);
  const u64 value = read_mm(cpu, operation.first), mask = read_mm(cpu, operation.second);
  if (!store_masked(cpu, operation, reinterpret_cast<const u8*>(&value), reinterpret_cast<const u8*>(&mask), 8)) {
    return Outcome::Fault;
  }
  enter_mmx(cpu);
  return Outcome::Next;
}

/// MASKMOV addresses DS:rDI; the segment may be overridden.
Handler masked(const Decoded& decoded, Operation& operation, Handler handler) {
  operation.base = rdi;
  operation.index = zero_slot;
  operation.scale = 0;
  operation.displacement = 0;
  operation.address_size = static_cast<u8>(decoded.instruction.address_width / 8);
  operation.segment = decoded.has(ZYDIS_ATTRIB_HAS_SEGMENT_ES)   ? es
                      : decoded.has(ZYDIS_ATTRIB_HAS_SEGMENT_CS) ? cs
                      : decoded.has(ZYDIS_ATTRIB_HAS_SEGMENT_SS) ? ss
                      : decoded.has(ZYDIS_ATTRIB_HAS_SEGMENT_FS) ? fs
                      : decoded.has(ZYDIS_ATTRIB_HAS_SEGMENT_GS) ? gs
                                                                 : ds;
  return handler;
}

}  // namespace

Handler select_sse_move(const Decoded& decoded, Operation& operation) {
  switch (decoded.mnemonic()) {
    case ZYDIS_MNEMONIC_MOVAPS:
    case ZYDIS_MNEMONIC_MOVAPD:
    case ZYDIS_MNEMONIC_MOVDQA:
    case ZYDIS_MNEMONIC_MOVNTPS:
    case ZYDIS_MNEMONIC_MOVNTPD:
    case ZYDIS_MNEMONIC_MOVNTDQ:
    case ZYDIS_MNEMONIC_MOVNTDQA:
      return move_128<Alignment::Required>(decoded);
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_MOVDQU:
    case ZYDIS_MNEMONIC_LDDQU:
      return move_128<Alignment::Any>(decoded);
    case ZYDIS_MNEMONIC_MOVSS:
      return move_scalar<4, MergeLow32>(decoded);
    case ZYDIS_MNEMONIC_MOVSD:  // also the name of a string instruction
      return is_xmm(decoded, 0) || is_xmm(decoded, 1) ? move_scalar<8, MergeLow64>(decoded) : nullptr;
    case ZYDIS_MNEMONIC_MOVLPS:
    case ZYDIS_MNEMONIC_MOVLPD:
      return decoded.memory(0) ? store_handler<8>(decoded) : sse_plain_handler<MergeLow64, 8>(decoded);
    case ZYDIS_MNEMONIC_MOVHPS:
    case ZYDIS_MNEMONIC_MOVHPD:
      return decoded.memory(0) ? store_handler<8, Part::High>(decoded) : sse_plain_handler<LowToHigh, 8>(decoded);
    case ZYDIS_MNEMONIC_MOVLHPS:
      return sse_plain_handler<LowToHigh>(decoded);
    case ZYDIS_MNEMONIC_MOVHLPS:
      return sse_plain_handler<HighToLow>(decoded);
    case ZYDIS_MNEMONIC_MOVD:
      return move_integer<u32>(decoded);
    case ZYDIS_MNEMONIC_MOVQ:
      return move_integer<u64>(decoded);
    case ZYDIS_MNEMONIC_MOVNTQ:
      return move_integer<u64>(decoded);
    case ZYDIS_MNEMONIC_MOVQ2DQ:
      return &handle<movq2dq>;
    case ZYDIS_MNEMONIC_MOVDQ2Q:
      return &handle<movdq2q>;
    case ZYDIS_MNEMONIC_MOVNTI:
      return decoded.size(0) == 8 ? movnti_handler<u64>(decoded) : movnti_handler<u32>(decoded);
    case ZYDIS_MNEMONIC_MOVMSKPS:
      return &handle<movmskps>;
    case ZYDIS_MNEMONIC_MOVMSKPD:
      return &handle<movmskpd>;
    case ZYDIS_MNEMONIC_PMOVMSKB:
      return is_xmm(decoded, 1) ? &handle<pmovmskb_xmm> : &handle<pmovmskb_mm>;
    case ZYDIS_MNEMONIC_MASKMOVDQU:
      return masked(decoded, operation, &handle<maskmovdqu>);
    case ZYDIS_MNEMONIC_MASKMOVQ:
      return masked(decoded, operation, &handle<maskmovq>);
    default:
      return nullptr;
  }
}

}  // namespace vitrine
