// Single elements in and out of vectors: PINSR, PEXTR, EXTRACTPS, INSERTPS.
//
// Manual: Intel SDM vol. 2.
#include <cstring>

#include "machine/cpu/sse.hpp"

namespace vitrine {
namespace {

template <class T>
VITRINE_INLINE u8* element(Cpu& cpu, u8 number, u64 index) {
  return reinterpret_cast<u8*>(&cpu.state.fpu.xmm[number & 15]) + (index & (16 / sizeof(T) - 1)) * sizeof(T);
}

/// Inserts the low bytes of a general register (`Wide` is its size) or memory.
template <class T, Source S>
Outcome insert(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  T value;
  if (!load_integer_source<T, S>(cpu, operation, value)) return Outcome::Fault;
  std::memcpy(element<T>(cpu, operation.first, operation.immediate), &value, sizeof value);
  return Outcome::Next;
}

template <Source S>
Outcome insert_mm(Cpu& cpu, const Operation& operation) {
  if (!mmx_usable(cpu)) [[unlikely]]
    return refuse_mmx(cpu, operation);
  u16 value;
  if (!load_integer_source<u16, S>(cpu, operation, value)) return Outcome::Fault;
  const unsigned shift = 16 * (operation.immediate & 3);
  const u64 old = read_mm(cpu, operation.first);
  write_mm(cpu, operation.first, (old & ~(u64{0xFFFF} << shift)) | u64{value} << shift);
  enter_mmx(cpu);
  return Outcome::Next;
}

/// To a general register the element is zero-extended, to memory it goes as it is.
template <class T, Source S>
Outcome extract(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  T value;
  std::memcpy(&value, element<T>(cpu, operation.second, operation.immediate), sizeof value);
  if constexpr (S == Source::Register) {
    write_register<u64>(cpu, operation.first, value);
  } else {
    if (!store_memory<Alignment::Any, S>(cpu, operation, value)) return Outcome::Fault;
  }
  return Outcome::Next;
}

Outcome extract_mm(Cpu& cpu, const Operation& operation) {
  if (!mmx_usable(cpu)) [[unlikely]]
    return refuse_mmx(cpu, operation);
  write_register<u64>(cpu, operation.first,
                      static_cast<u16>(read_mm(cpu, operation.second) >> 16 * (operation.immediate & 3)));
  enter_mmx(cpu);
  return Outcome::Next;
}

/// INSERTPS: bits 7-6 pick the source's element (0 for memory), 5-4 the target's, 3-0 what becomes 0.
template <Source S>
Outcome insertps(Cpu& cpu, const Operation& operation) {
  if (!sse_usable(cpu)) [[unlikely]]
    return refuse_sse(cpu);
  const u8 how = static_cast<u8>(operation.immediate);
  u32 value;
  if constexpr (S == Source::Register) {
    std::memcpy(&value, element<u32>(cpu, operation.second, how >> 6), sizeof value);
  } else {
    if (!read_memory<address_of<S>>(cpu, operation, value)) return Outcome::Fault;
  }
  std::memcpy(element<u32>(cpu, operation.first, how >> 4 & 3), &value, sizeof value);
  for (unsigned i = 0; i < 4; ++i) {
    if ((how >> i & 1) != 0) std::memset(element<u32>(cpu, operation.first, i), 0, 4);
  }
  return Outcome::Next;
}

template <class T>
Handler insert_handler(const Decoded& decoded) {
  return by_source(decoded, 1, [](auto s) { return &handle<insert<T, s.value>>; });
}
template <class T>
Handler extract_handler(const Decoded& decoded) {
  return by_source(decoded, 0, [](auto s) { return &handle<extract<T, s.value>>; });
}

}  // namespace

Handler select_sse_element(const Decoded& decoded, Operation&) {
  switch (decoded.mnemonic()) {
    case ZYDIS_MNEMONIC_PINSRB:
      return insert_handler<u8>(decoded);
    case ZYDIS_MNEMONIC_PINSRW:
      if (is_mm(decoded, 0)) return by_source(decoded, 1, [](auto s) { return &handle<insert_mm<s.value>>; });
      return insert_handler<u16>(decoded);
    case ZYDIS_MNEMONIC_PINSRD:
      return insert_handler<u32>(decoded);
    case ZYDIS_MNEMONIC_PINSRQ:
      return insert_handler<u64>(decoded);
    case ZYDIS_MNEMONIC_PEXTRB:
      return extract_handler<u8>(decoded);
    case ZYDIS_MNEMONIC_PEXTRW:
      return is_mm(decoded, 1) ? &handle<extract_mm> : extract_handler<u16>(decoded);
    case ZYDIS_MNEMONIC_PEXTRD:
    case ZYDIS_MNEMONIC_EXTRACTPS:
      return extract_handler<u32>(decoded);
    case ZYDIS_MNEMONIC_PEXTRQ:
      return extract_handler<u64>(decoded);
    case ZYDIS_MNEMONIC_INSERTPS:
      return by_source(decoded, 1, [](auto s) { return &handle<insertps<s.value>>; });
    default:
      return nullptr;
  }
}

}  // namespace vitrine
