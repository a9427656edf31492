// SETcc, CMOVcc, BSWAP, MOVBE, CBW..CQO, XLAT, flag moves and instructions that do nothing (SDM vol. 2).
#include "machine/cpu/flags.hpp"
#include "machine/cpu/integer.hpp"

namespace vitrine {

namespace {

// --- conditions ------------------------------------------------------------------------------------------------------

template <u8 Code>
Outcome set_register(Cpu& cpu, const Operation& operation) {
  write_register<u8>(cpu, operation.first, condition<Code>(cpu.state.status) ? 1 : 0);
  return Outcome::Next;
}
template <u8 Code, Address A>
Outcome set_memory(Cpu& cpu, const Operation& operation) {
  const u8 value = condition<Code>(cpu.state.status) ? 1 : 0;
  return write_memory<A>(cpu, operation, value) ? Outcome::Next : Outcome::Fault;
}
template <u8 Code, class T>
Outcome cmov_register(Cpu& cpu, const Operation& operation) {
  const T value = read_register<T>(cpu, condition<Code>(cpu.state.status) ? operation.second : operation.first);
  write_register<T>(cpu, operation.first, value);  // a 32-bit CMOV clears the upper half in any case
  return Outcome::Next;
}
template <u8 Code, class T, Address A>
Outcome cmov_memory(Cpu& cpu, const Operation& operation) {
  T value;
  if (!read_memory<A>(cpu, operation, value)) return Outcome::Fault;
  if (!condition<Code>(cpu.state.status)) value = read_register<T>(cpu, operation.first);
  write_register<T>(cpu, operation.first, value);
  return Outcome::Next;
}

template <u8 Code>
Handler select_conditional(const Decoded& decoded, bool is_set) {
  if (is_set) {
    if (!decoded.memory(0)) return handle<set_register<Code>>;
    return by_address(decoded, [](auto address) -> Handler { return handle<set_memory<Code, address.value>>; });
  }
  return by_size(decoded.size(0), [&](auto zero) -> Handler {
    using T = decltype(zero);
    if constexpr (sizeof(T) == 1) {
      return nullptr;
    } else {
      if (!decoded.memory(1)) return handle<cmov_register<Code, T>>;
      return by_address(decoded, [](auto address) -> Handler { return handle<cmov_memory<Code, T, address.value>>; });
    }
  });
}

// --- bytes, signs, flags ---------------------------------------------------------------------------------------------

template <class T>
VITRINE_INLINE T swap_bytes(T value) {
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
  return value;
}
template <class T>
Outcome bswap(Cpu& cpu, const Operation& operation) {
  // A 16-bit BSWAP is undefined; processors give zero.
  const T value = read_register<T>(cpu, operation.first);
  write_register<T>(cpu, operation.first, sizeof(T) == 2 ? T{0} : swap_bytes(value));
  return Outcome::Next;
}
template <class T, Address A>
Outcome movbe_load(Cpu& cpu, const Operation& operation) {
  T value;
  if (!read_memory<A>(cpu, operation, value)) return Outcome::Fault;
  write_register<T>(cpu, operation.first, swap_bytes(value));
  return Outcome::Next;
}
template <class T, Address A>
Outcome movbe_store(Cpu& cpu, const Operation& operation) {
  return write_memory<A>(cpu, operation, swap_bytes(read_register<T>(cpu, operation.second))) ? Outcome::Next
                                                                                              : Outcome::Fault;
}

/// CBW, CWDE, CDQE: the accumulator's lower half, sign-extended.
template <class To, class From>
Outcome widen_accumulator(Cpu& cpu, const Operation&) {
  write_register<To>(cpu, rax * 8,
                     static_cast<To>(static_cast<std::make_signed_t<From>>(read_register<From>(cpu, rax * 8))));
  return Outcome::Next;
}
/// CWD, CDQ, CQO: the accumulator's sign in all bits of rDX.
template <class T>
Outcome sign_to_dx(Cpu& cpu, const Operation&) {
  const auto value = static_cast<std::make_signed_t<T>>(read_register<T>(cpu, rax * 8));
  write_register<T>(cpu, rdx * 8, value < 0 ? static_cast<T>(~T{0}) : T{0});
  return Outcome::Next;
}

Outcome xlat(Cpu& cpu, const Operation& operation) {
  u64 offset = cpu.state.gpr[rbx] + read_register<u8>(cpu, rax * 8);
  if (operation.address_size == 4) offset = static_cast<u32>(offset);
  if (operation.address_size == 2) offset = static_cast<u16>(offset);
  u64 linear;
  u8 value;
  if (!segment_to_linear(cpu, static_cast<SegmentIndex>(operation.segment), offset, 1, Access::Read, linear) ||
      !read_linear(cpu, operation, linear, value)) {
    return Outcome::Fault;
  }
  write_register<u8>(cpu, rax * 8, value);
  return Outcome::Next;
}

Outcome lahf(Cpu& cpu, const Operation&) {
  write_register<u8>(cpu, rax * 8 + 1, static_cast<u8>(cpu.state.flags()));
  return Outcome::Next;
}
Outcome sahf(Cpu& cpu, const Operation&) {
  const u32 kept = cpu.state.flags() & flag::overflow;
  cpu.state.set_status_flags(read_register<u8>(cpu, rax * 8 + 1) | kept);
  return Outcome::Next;
}
Outcome clc(Cpu& cpu, const Operation&) {
  cpu.state.status &= static_cast<u16>(~status_bit::carry);
  return Outcome::Next;
}
Outcome stc(Cpu& cpu, const Operation&) {
  cpu.state.status |= status_bit::carry;
  return Outcome::Next;
}
Outcome cmc(Cpu& cpu, const Operation&) {
  cpu.state.status ^= status_bit::carry;
  return Outcome::Next;
}
Outcome cld(Cpu& cpu, const Operation&) {
  cpu.state.other_flags &= ~flag::direction;
  return Outcome::Next;
}
Outcome set_direction(Cpu& cpu, const Operation&) {
  cpu.state.other_flags |= flag::direction;
  return Outcome::Next;
}
Outcome salc(Cpu& cpu, const Operation&) {
  write_register<u8>(cpu, rax * 8, (cpu.state.status & status_bit::carry) != 0 ? 0xFF : 0);
  return Outcome::Next;
}
Outcome nothing(Cpu&, const Operation&) { return Outcome::Next; }

}  // namespace

Selection select_convert_group(const Decoded& decoded, Operation&) {
  switch (decoded.mnemonic()) {
    case ZYDIS_MNEMONIC_BSWAP:
      return {by_size(decoded.size(0), [](auto zero) -> Handler { return handle<bswap<decltype(zero)>>; })};
    case ZYDIS_MNEMONIC_MOVBE:
      return {by_size(decoded.size(0), [&](auto zero) -> Handler {
        using T = decltype(zero);
        return by_address(decoded, [&](auto address) -> Handler {
          return decoded.memory(0) ? handle<movbe_store<T, address.value>> : handle<movbe_load<T, address.value>>;
        });
      })};
    case ZYDIS_MNEMONIC_CBW:
      return {handle<widen_accumulator<u16, u8>>};
    case ZYDIS_MNEMONIC_CWDE:
      return {handle<widen_accumulator<u32, u16>>};
    case ZYDIS_MNEMONIC_CDQE:
      return {handle<widen_accumulator<u64, u32>>};
    case ZYDIS_MNEMONIC_CWD:
      return {handle<sign_to_dx<u16>>};
    case ZYDIS_MNEMONIC_CDQ:
      return {handle<sign_to_dx<u32>>};
    case ZYDIS_MNEMONIC_CQO:
      return {handle<sign_to_dx<u64>>};
    case ZYDIS_MNEMONIC_XLAT:
      return {handle<xlat>};
    case ZYDIS_MNEMONIC_LAHF:
      return {handle<lahf>};
    case ZYDIS_MNEMONIC_SAHF:
      return {handle<sahf>};
    case ZYDIS_MNEMONIC_CLC:
      return {handle<clc>};
    case ZYDIS_MNEMONIC_STC:
      return {handle<stc>};
    case ZYDIS_MNEMONIC_CMC:
      return {handle<cmc>};
    case ZYDIS_MNEMONIC_CLD:
      return {handle<cld>};
    case ZYDIS_MNEMONIC_STD:
      return {handle<set_direction>};
    case ZYDIS_MNEMONIC_SALC:
      return {handle<salc>};
    case ZYDIS_MNEMONIC_NOP:
    case ZYDIS_MNEMONIC_ENDBR32:
    case ZYDIS_MNEMONIC_ENDBR64:
    case ZYDIS_MNEMONIC_RDSSPD:
    case ZYDIS_MNEMONIC_RDSSPQ:
    case ZYDIS_MNEMONIC_LFENCE:
    case ZYDIS_MNEMONIC_SFENCE:
    case ZYDIS_MNEMONIC_MFENCE:
    case ZYDIS_MNEMONIC_PREFETCH:
    case ZYDIS_MNEMONIC_PREFETCHNTA:
    case ZYDIS_MNEMONIC_PREFETCHT0:
    case ZYDIS_MNEMONIC_PREFETCHT1:
    case ZYDIS_MNEMONIC_PREFETCHT2:
    case ZYDIS_MNEMONIC_PREFETCHW:
    case ZYDIS_MNEMONIC_PREFETCHWT1:
      return {handle<nothing>};
    default:
      break;
  }
  const bool is_set = decoded.instruction.meta.category == ZYDIS_CATEGORY_SETCC;
  if (is_set || decoded.instruction.meta.category == ZYDIS_CATEGORY_CMOV) {
    return {by_condition(decoded.instruction.opcode & 15,
                         [&](auto code) -> Handler { return select_conditional<code.value>(decoded, is_set); })};
  }
  return {};
}

}  // namespace vitrine
