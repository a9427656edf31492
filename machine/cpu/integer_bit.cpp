// BT, BTS, BTR, BTC, BSF, BSR, POPCNT, LZCNT, TZCNT, BMI1, BMI2 (SDM vol. 2).
#include <bit>

#include "machine/cpu/flags.hpp"
#include "machine/cpu/integer.hpp"

namespace vitrine {

namespace {

enum class BitTest : u8 { Test, Set, Reset, Complement };

template <class T>
inline constexpr unsigned width = sizeof(T) * 8;

void set_carry(u16& status, bool carry) {
  status = static_cast<u16>((status & ~status_bit::carry) | (carry ? status_bit::carry : 0));
}

template <BitTest Op, class T>
VITRINE_INLINE T changed(T value, unsigned position) {
  const T mask = static_cast<T>(T{1} << position);
  if constexpr (Op == BitTest::Set) return value | mask;
  if constexpr (Op == BitTest::Reset) return static_cast<T>(value & ~mask);
  if constexpr (Op == BitTest::Complement) return value ^ mask;
  return value;
}

template <BitTest Op, class T, bool Immediate>
Outcome bit_register(Cpu& cpu, const Operation& operation) {
  const T value = read_register<T>(cpu, operation.first);
  const unsigned position = static_cast<unsigned>(
      (Immediate ? operation.immediate : read_register<T>(cpu, operation.second)) & (width<T> - 1));
  set_carry(cpu.state.status, (value >> position & 1) != 0);
  if constexpr (Op != BitTest::Test) write_register<T>(cpu, operation.first, changed<Op>(value, position));
  return Outcome::Next;
}

template <BitTest Op, class T, Address A, bool Immediate>
Outcome bit_memory(Cpu& cpu, const Operation& operation) {
  // A register's bit offset is signed and reaches beyond the operand: it moves the address (SDM vol. 2, BT).
  u64 offset = effective_address<A>(cpu, operation);
  unsigned position;
  if constexpr (Immediate) {
    position = static_cast<unsigned>(operation.immediate & (width<T> - 1));
  } else {
    const i64 index = static_cast<std::make_signed_t<T>>(read_register<T>(cpu, operation.second));
    position = static_cast<unsigned>(index & (width<T> - 1));
    offset += static_cast<u64>((index >> std::countr_zero(width<T>)) * static_cast<i64>(sizeof(T)));
    if (A != Address::Flat64) {
      if (operation.address_size == 4) offset = static_cast<u32>(offset);
      if (operation.address_size == 2) offset = static_cast<u16>(offset);
    }
  }
  u64 linear = offset;
  constexpr Access access = Op == BitTest::Test ? Access::Read : Access::Write;
  if constexpr (A == Address::General) {
    if (!segment_to_linear(cpu, static_cast<SegmentIndex>(operation.segment), offset, sizeof(T), access, linear)) {
      return Outcome::Fault;
    }
  }
  T value{};
  if constexpr (Op == BitTest::Test) {
    if (!read_linear(cpu, operation, linear, value)) return Outcome::Fault;
  } else {
    const bool done = update_linear<T>(cpu, operation, linear, [&](T old) {
      value = old;
      return changed<Op>(old, position);
    });
    if (!done) return Outcome::Fault;
  }
  set_carry(cpu.state.status, (value >> position & 1) != 0);
  return Outcome::Next;
}

template <BitTest Op>
Handler select_bit_test(const Decoded& decoded) {
  return by_size(decoded.size(0), [&](auto zero) -> Handler {
    using T = decltype(zero);
    if constexpr (sizeof(T) == 1) {
      return nullptr;
    } else {
      const bool immediate = decoded.immediate(1);
      if (!decoded.memory(0)) {
        return immediate ? handle<bit_register<Op, T, true>> : handle<bit_register<Op, T, false>>;
      }
      return by_address(decoded, [&](auto address) -> Handler {
        return immediate ? handle<bit_memory<Op, T, address.value, true>>
                         : handle<bit_memory<Op, T, address.value, false>>;
      });
    }
  });
}

// --- one source, one destination -------------------------------------------------------------------------------------

enum class Count : u8 { Bsf, Bsr, Popcnt, Lzcnt, Tzcnt, Blsr, Blsmsk, Blsi };

/// The result; `keep` says that the destination stays as it is (BSF and BSR of zero: as all processors do).
template <Count Op, class T>
VITRINE_INLINE T counted(T value, u16& status, bool& keep) {
  if constexpr (Op == Count::Bsf || Op == Count::Bsr) {
    // CF, OF, SF, AF, PF are undefined: we clear them.
    status = static_cast<u16>(0x0200 | (value == 0 ? status_bit::zero : 0));
    keep = value == 0;
    if (keep) return 0;
    return static_cast<T>(Op == Count::Bsf ? std::countr_zero(value) : width<T> - 1 - std::countl_zero(value));
  } else if constexpr (Op == Count::Popcnt) {
    status = static_cast<u16>(0x0200 | (value == 0 ? status_bit::zero : 0));
    return static_cast<T>(std::popcount(value));
  } else if constexpr (Op == Count::Lzcnt || Op == Count::Tzcnt) {
    const T result = static_cast<T>(Op == Count::Lzcnt ? std::countl_zero(value) : std::countr_zero(value));
    status = static_cast<u16>(0x0200 | (value == 0 ? status_bit::carry : 0) | (result == 0 ? status_bit::zero : 0));
    return result;
  } else {
    T result;
    bool carry;
    if constexpr (Op == Count::Blsr) {
      result = static_cast<T>(value & (value - 1));
      carry = value == 0;
    } else if constexpr (Op == Count::Blsmsk) {
      result = static_cast<T>(value ^ (value - 1));
      carry = value == 0;
    } else {
      result = static_cast<T>(value & (~value + 1));
      carry = value != 0;
    }
    // PF is undefined: cleared. BLSMSK's ZF is 0, which its result gives by itself.
    status = static_cast<u16>((logic_status(result) & ~status_bit::parity) | (carry ? status_bit::carry : 0));
    return result;
  }
}

template <Count Op, class T>
Outcome count_register(Cpu& cpu, const Operation& operation) {
  bool keep = false;
  const T result = counted<Op>(read_register<T>(cpu, operation.second), cpu.state.status, keep);
  if (!keep) write_register<T>(cpu, operation.first, result);
  return Outcome::Next;
}
template <Count Op, class T, Address A>
Outcome count_memory(Cpu& cpu, const Operation& operation) {
  T value;
  if (!read_memory<A>(cpu, operation, value)) return Outcome::Fault;
  bool keep = false;
  const T result = counted<Op>(value, cpu.state.status, keep);
  if (!keep) write_register<T>(cpu, operation.first, result);
  return Outcome::Next;
}
template <Count Op>
Handler select_count(const Decoded& decoded) {
  return by_size(decoded.size(0), [&](auto zero) -> Handler {
    using T = decltype(zero);
    if constexpr (sizeof(T) == 1) {
      return nullptr;
    } else {
      if (!decoded.memory(1)) return handle<count_register<Op, T>>;
      return by_address(decoded, [](auto address) -> Handler { return handle<count_memory<Op, T, address.value>>; });
    }
  });
}

// --- two sources
// -------------------------------------------------------------------------------------------------------

enum class Bmi : u8 { Andn, Bextr, Bzhi, Pdep, Pext, Sarx, Shlx, Shrx, Rorx };

/// `value` is the operand that may be in memory, `control` the other.
template <Bmi Op, class T>
VITRINE_INLINE T combined(T value, T control, u16& status) {
  if constexpr (Op == Bmi::Andn) {
    const T result = static_cast<T>(~control & value);
    status = static_cast<u16>(logic_status(result) & ~status_bit::parity);
    return result;
  } else if constexpr (Op == Bmi::Bextr) {
    const unsigned start = control & 0xFF;
    const unsigned length = control >> 8 & 0xFF;
    T result = start < width<T> ? static_cast<T>(value >> start) : T{0};
    if (length < width<T>) result &= static_cast<T>((T{1} << length) - 1);
    status = static_cast<u16>(0x0200 | (result == 0 ? status_bit::zero : 0));
    return result;
  } else if constexpr (Op == Bmi::Bzhi) {
    const unsigned index = control & 0xFF;
    const T result = index < width<T> ? static_cast<T>(value & ((T{1} << index) - 1)) : value;
    status =
        static_cast<u16>((logic_status(result) & ~status_bit::parity) | (index >= width<T> ? status_bit::carry : 0));
    return result;
  } else if constexpr (Op == Bmi::Pdep || Op == Bmi::Pext) {
    // `value` is the mask.
    T result = 0;
    T mask = value;
    for (unsigned k = 0; mask != 0; ++k) {
      const unsigned position = static_cast<unsigned>(std::countr_zero(mask));
      mask &= static_cast<T>(mask - 1);
      if constexpr (Op == Bmi::Pdep) {
        result |= static_cast<T>((control >> k & 1) << position);
      } else {
        result |= static_cast<T>((control >> position & 1) << k);
      }
    }
    return result;
  } else {
    const unsigned count = control & (width<T> - 1);
    if constexpr (Op == Bmi::Sarx) return static_cast<T>(static_cast<std::make_signed_t<T>>(value) >> count);
    if constexpr (Op == Bmi::Shlx) return static_cast<T>(value << count);
    if constexpr (Op == Bmi::Shrx) return static_cast<T>(value >> count);
    return std::rotr(value, static_cast<int>(count));
  }
}

/// ANDN, PDEP, PEXT: r, control, r/m. The others: r, r/m, control.
template <Bmi Op>
inline constexpr bool control_is_second = Op == Bmi::Andn || Op == Bmi::Pdep || Op == Bmi::Pext;

template <Bmi Op, class T>
VITRINE_INLINE T control_of(const Cpu& cpu, const Operation& operation) {
  if constexpr (Op == Bmi::Rorx) return static_cast<T>(operation.immediate);
  return read_register<T>(cpu, control_is_second<Op> ? operation.second : operation.third);
}

template <Bmi Op, class T>
Outcome bmi_register(Cpu& cpu, const Operation& operation) {
  const T value = read_register<T>(cpu, control_is_second<Op> ? operation.third : operation.second);
  write_register<T>(cpu, operation.first, combined<Op, T>(value, control_of<Op, T>(cpu, operation), cpu.state.status));
  return Outcome::Next;
}
template <Bmi Op, class T, Address A>
Outcome bmi_memory(Cpu& cpu, const Operation& operation) {
  T value;
  if (!read_memory<A>(cpu, operation, value)) return Outcome::Fault;
  write_register<T>(cpu, operation.first, combined<Op, T>(value, control_of<Op, T>(cpu, operation), cpu.state.status));
  return Outcome::Next;
}
template <Bmi Op>
Handler select_bmi(const Decoded& decoded) {
  if (decoded.mode.has(CodeMode::real)) return nullptr;  // VEX encodings are #UD in real and virtual-8086 mode
  return by_size(decoded.size(0), [&](auto zero) -> Handler {
    using T = decltype(zero);
    if constexpr (sizeof(T) < 4) {
      return nullptr;
    } else {
      if (!decoded.memory(control_is_second<Op> ? 2 : 1)) return handle<bmi_register<Op, T>>;
      return by_address(decoded, [](auto address) -> Handler { return handle<bmi_memory<Op, T, address.value>>; });
    }
  });
}

/// BLSR, BLSMSK, BLSI are VEX-encoded.
template <Count Op>
Handler select_vex_count(const Decoded& decoded) {
  return decoded.mode.has(CodeMode::real) ? nullptr : select_count<Op>(decoded);
}

}  // namespace

Selection select_bit_group(const Decoded& decoded, Operation&) {
  switch (decoded.mnemonic()) {
    case ZYDIS_MNEMONIC_BT:
      return {select_bit_test<BitTest::Test>(decoded)};
    case ZYDIS_MNEMONIC_BTS:
      return {select_bit_test<BitTest::Set>(decoded)};
    case ZYDIS_MNEMONIC_BTR:
      return {select_bit_test<BitTest::Reset>(decoded)};
    case ZYDIS_MNEMONIC_BTC:
      return {select_bit_test<BitTest::Complement>(decoded)};
    case ZYDIS_MNEMONIC_BSF:
      return {select_count<Count::Bsf>(decoded)};
    case ZYDIS_MNEMONIC_BSR:
      return {select_count<Count::Bsr>(decoded)};
    case ZYDIS_MNEMONIC_POPCNT:
      return {select_count<Count::Popcnt>(decoded)};
    case ZYDIS_MNEMONIC_LZCNT:
      return {select_count<Count::Lzcnt>(decoded)};
    case ZYDIS_MNEMONIC_TZCNT:
      return {select_count<Count::Tzcnt>(decoded)};
    case ZYDIS_MNEMONIC_BLSR:
      return {select_vex_count<Count::Blsr>(decoded)};
    case ZYDIS_MNEMONIC_BLSMSK:
      return {select_vex_count<Count::Blsmsk>(decoded)};
    case ZYDIS_MNEMONIC_BLSI:
      return {select_vex_count<Count::Blsi>(decoded)};
    case ZYDIS_MNEMONIC_ANDN:
      return {select_bmi<Bmi::Andn>(decoded)};
    case ZYDIS_MNEMONIC_BEXTR:
      return {select_bmi<Bmi::Bextr>(decoded)};
    case ZYDIS_MNEMONIC_BZHI:
      return {select_bmi<Bmi::Bzhi>(decoded)};
    case ZYDIS_MNEMONIC_PDEP:
      return {select_bmi<Bmi::Pdep>(decoded)};
    case ZYDIS_MNEMONIC_PEXT:
      return {select_bmi<Bmi::Pext>(decoded)};
    case ZYDIS_MNEMONIC_SARX:
      return {select_bmi<Bmi::Sarx>(decoded)};
    case ZYDIS_MNEMONIC_SHLX:
      return {select_bmi<Bmi::Shlx>(decoded)};
    case ZYDIS_MNEMONIC_SHRX:
      return {select_bmi<Bmi::Shrx>(decoded)};
    case ZYDIS_MNEMONIC_RORX:
      return {select_bmi<Bmi::Rorx>(decoded)};
    default:
      return {};
  }
}

}  // namespace vitrine
