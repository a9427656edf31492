// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM and CRC32 (SSE4.2).
//
// Manual: Intel SDM vol. 1 §12.10, vol. 2 §4.1. Memory operands need no alignment. One function per value of the
// immediate.
#include "machine/cpu/sse.hpp"

namespace vitrine {
namespace {

struct StringResult {
  Xmm mask;
  u64 index;
  u64 flags;  ///< as CpuState::status holds them: AH of LAHF, OF in bit 0
};
struct StringOperands {
  Xmm a, b;
  u32 length_a, length_b;
};
using StringCompare = void (*)(const StringOperands&, StringResult&);

// The flags are ZF, CF, SF, OF; AF and PF are clear.
template <unsigned I>
struct ImplicitIndex {
  static void apply(const StringOperands& in, StringResult& out) {
    asm("pcmpistri %[how], %[b], %[a]\n\tlahf\n\tseto %%al"
        : "=a"(out.flags), "=c"(out.index)
        : [a] "x"(in.a), [b] "x"(in.b), [how] "i"(I)
        : "cc");
  }
};
template <unsigned I>
struct ImplicitMask {
  static void apply(const StringOperands& in, StringResult& out) {
    asm("pcmpistrm %[how], %[b], %[a]\n\tlahf\n\tseto %%al"
        : "=a"(out.flags), "=&Yz"(out.mask)
        : [a] "x"(in.a), [b] "x"(in.b), [how] "i"(I)
        : "cc");
  }
};
template <unsigned I>
struct ExplicitIndex {
  static void apply(const StringOperands& in, StringResult& out) {
    u64 length = in.length_a;
    asm("pcmpestri %[how], %[b], %[a]\n\tlahf\n\tseto %%al"
        : "+a"(length), "=c"(out.index)
        : [a] "x"(in.a), [b] "x"(in.b), "d"(in.length_b), [how] "i"(I)
        : "cc");
    out.flags = length;
  }
};
template <unsigned I>
struct ExplicitMask {
  static void apply(const StringOperands& in, StringResult& out) {
    u64 length = in.length_a;
    asm("pcmpestrm %[how], %[b], %[a]\n\tlahf\n\tseto %%al"
        : "+a"(length), "=&Yz"(out.mask)
        : [a] "x"(in.a), [b] "x"(in.b), "d"(in.length_b), [how] "i"(I)
        : "cc");
    out.flags = length;
  }
};

template <template <unsigned> class Op>
constexpr auto string_functions = []<std::size_t... I>(std::index_sequence<I...>) {
  return std::array<StringCompare, 128>{&Op<static_cast<unsigned>(I)>::apply...};
}(std::make_index_sequence<128>{});

enum class Lengths : u8 { Implicit, Explicit32, Explicit64 };
enum class Gives : u8 { Index, Mask };

/// A length counts by its magnitude, and 16 is as good as anything more.
template <Lengths L>
u32 clamp_length(u64 value) {
  const i64 length = L == Lengths::Explicit64 ? static_cast<i64>(value) : static_cast<i32>(value);
  return static_cast<u32>(length > 16 ? 16 : length < -16 ? -16 : length);
}

template <Lengths L, Gives G, Source S>
Outcome compare_strings(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  StringOperands operands{};
  if (!load_source<16, Alignment::Any, S>(cpu, operation, operands.b)) return Outcome::Fault;
  operands.a = xmm(cpu, operation.first);
  if constexpr (L != Lengths::Implicit) {
    operands.length_a = clamp_length<L>(cpu.state.gpr[rax]);
    operands.length_b = clamp_length<L>(cpu.state.gpr[rdx]);
  }
  StringResult result{};
  reinterpret_cast<StringCompare>(operation.immediate)(operands, result);
  if constexpr (G == Gives::Index) {
    write_register<u32>(cpu, rcx * 8, static_cast<u32>(result.index));
  } else {
    xmm(cpu, 0) = result.mask;
  }
  cpu.state.status = static_cast<u16>((result.flags & 0xFF00) | (result.flags & 1));
  return Outcome::Next;
}

template <Lengths L, Gives G, template <unsigned> class Op>
Handler string_handler(const Decoded& decoded, Operation& operation) {
  operation.immediate = reinterpret_cast<u64>(string_functions<Op>[operation.immediate & 0x7F]);
  return by_source(decoded, 1, [](auto s) { return &handle<compare_strings<L, G, s.value>>; });
}

// CRC32: the target is a 32- or 64-bit register, the result always 32 bits, zero-extended.
VITRINE_INLINE u64 crc(u64 sum, u8 value) {
  asm("crc32b %1, %k0" : "+r"(sum) : "q"(value));
  return static_cast<u32>(sum);
}
VITRINE_INLINE u64 crc(u64 sum, u16 value) {
  asm("crc32w %1, %k0" : "+r"(sum) : "r"(value));
  return static_cast<u32>(sum);
}
VITRINE_INLINE u64 crc(u64 sum, u32 value) {
  asm("crc32l %1, %k0" : "+r"(sum) : "r"(value));
  return static_cast<u32>(sum);
}
VITRINE_INLINE u64 crc(u64 sum, u64 value) {
  asm("crc32q %1, %q0" : "+r"(sum) : "r"(value));
  return static_cast<u32>(sum);
}

template <class T, Source S>
Outcome crc32(Cpu& cpu, const Operation& operation) {
  T value;
  if (!load_integer_source<T, S>(cpu, operation, value)) return Outcome::Fault;
  write_register<u64>(cpu, operation.first, crc(read_register<u64>(cpu, operation.first), value));
  return Outcome::Next;
}

}  // namespace

Handler select_sse_string(const Decoded& decoded, Operation& operation) {
  const bool wide = (decoded.instruction.attributes & ZYDIS_ATTRIB_HAS_REX) != 0 && decoded.instruction.raw.rex.W != 0;
  switch (decoded.mnemonic()) {
    case ZYDIS_MNEMONIC_PCMPISTRI:
      return string_handler<Lengths::Implicit, Gives::Index, ImplicitIndex>(decoded, operation);
    case ZYDIS_MNEMONIC_PCMPISTRM:
      return string_handler<Lengths::Implicit, Gives::Mask, ImplicitMask>(decoded, operation);
    case ZYDIS_MNEMONIC_PCMPESTRI:
      return wide ? string_handler<Lengths::Explicit64, Gives::Index, ExplicitIndex>(decoded, operation)
                  : string_handler<Lengths::Explicit32, Gives::Index, ExplicitIndex>(decoded, operation);
    case ZYDIS_MNEMONIC_PCMPESTRM:
      return wide ? string_handler<Lengths::Explicit64, Gives::Mask, ExplicitMask>(decoded, operation)
                  : string_handler<Lengths::Explicit32, Gives::Mask, ExplicitMask>(decoded, operation);
    case ZYDIS_MNEMONIC_CRC32:
      switch (decoded.size(1)) {
        case 1:
          return by_source(decoded, 1, [](auto s) { return &handle<crc32<u8, s.value>>; });
        case 2:
          return by_source(decoded, 1, [](auto s) { return &handle<crc32<u16, s.value>>; });
        case 4:
          return by_source(decoded, 1, [](auto s) { return &handle<crc32<u32, s.value>>; });
        case 8:
          return by_source(decoded, 1, [](auto s) { return &handle<crc32<u64, s.value>>; });
        default:
          return nullptr;
      }
    default:
      return nullptr;
  }
}

}  // namespace vitrine
