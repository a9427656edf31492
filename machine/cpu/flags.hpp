// Arithmetic with its status flags, exactly as the hardware sets them: the host does the sum and LAHF/SETO keep the
// flags.
//
// Where the manual leaves a flag undefined we fix it (AF after logic and shifts is 0, ...), so that a run is the same
// on every host.
#pragma once

#include <type_traits>

#include "machine/cpu/access.hpp"

namespace vitrine {

namespace status_bit {
inline constexpr u16 overflow = 1, carry = 1 << 8, parity = 1 << 10, adjust = 1 << 12, zero = 1 << 14, sign = 1 << 15;
}

enum class Alu : u8 { Add, Or, Adc, Sbb, And, Sub, Xor, Cmp, Test };

template <Alu Op>
inline constexpr bool writes_result = Op != Alu::Cmp && Op != Alu::Test;

#define VITRINE_ASM_WITH_FLAGS(instruction)                                                    \
  if constexpr (sizeof(T) == 1) {                                                              \
    asm(instruction "b %[b], %[a]\n\tlahf\n\tseto %%al" : [a] "+q"(a), "=a"(ax) : [b] "q"(b)); \
  } else if constexpr (sizeof(T) == 2) {                                                       \
    asm(instruction "w %[b], %[a]\n\tlahf\n\tseto %%al" : [a] "+r"(a), "=a"(ax) : [b] "r"(b)); \
  } else if constexpr (sizeof(T) == 4) {                                                       \
    asm(instruction "l %[b], %[a]\n\tlahf\n\tseto %%al" : [a] "+r"(a), "=a"(ax) : [b] "r"(b)); \
  } else {                                                                                     \
    asm(instruction "q %[b], %[a]\n\tlahf\n\tseto %%al" : [a] "+r"(a), "=a"(ax) : [b] "r"(b)); \
  }

// With a carry in: NEG of (0 or 1) sets CF to it.
#define VITRINE_ASM_WITH_CARRY(instruction)                             \
  u8 carry_in = static_cast<u8>(status >> 8 & 1);                       \
  if constexpr (sizeof(T) == 1) {                                       \
    asm("negb %[c]\n\t" instruction "b %[b], %[a]\n\tlahf\n\tseto %%al" \
        : [a] "+&q"(a), [c] "+&q"(carry_in), "=&a"(ax)                  \
        : [b] "q"(b));                                                  \
  } else if constexpr (sizeof(T) == 2) {                                \
    asm("negb %[c]\n\t" instruction "w %[b], %[a]\n\tlahf\n\tseto %%al" \
        : [a] "+&r"(a), [c] "+&q"(carry_in), "=&a"(ax)                  \
        : [b] "r"(b));                                                  \
  } else if constexpr (sizeof(T) == 4) {                                \
    asm("negb %[c]\n\t" instruction "l %[b], %[a]\n\tlahf\n\tseto %%al" \
        : [a] "+&r"(a), [c] "+&q"(carry_in), "=&a"(ax)                  \
        : [b] "r"(b));                                                  \
  } else {                                                              \
    asm("negb %[c]\n\t" instruction "q %[b], %[a]\n\tlahf\n\tseto %%al" \
        : [a] "+&r"(a), [c] "+&q"(carry_in), "=&a"(ax)                  \
        : [b] "r"(b));                                                  \
  }

/// SF, ZF, PF of a result; CF, OF, AF clear.
template <class T>
VITRINE_INLINE u16 logic_status(T result) {
  u32 ax;
  if constexpr (sizeof(T) == 1) {
    asm("testb %1, %1\n\tlahf" : "=a"(ax) : "q"(result));
  } else if constexpr (sizeof(T) == 2) {
    asm("testw %1, %1\n\tlahf" : "=a"(ax) : "r"(result));
  } else if constexpr (sizeof(T) == 4) {
    asm("testl %1, %1\n\tlahf" : "=a"(ax) : "r"(result));
  } else {
    asm("testq %1, %1\n\tlahf" : "=a"(ax) : "r"(result));
  }
  return static_cast<u16>(ax & 0xEE00);
}

/// Computes `a Op b`, sets the flags in `status`.
template <Alu Op, class T>
VITRINE_INLINE T alu(T a, T b, u16& status) {
  u32 ax;
  if constexpr (Op == Alu::And || Op == Alu::Test) {
    a &= b;
    status = logic_status(a);
  } else if constexpr (Op == Alu::Or) {
    a |= b;
    status = logic_status(a);
  } else if constexpr (Op == Alu::Xor) {
    a ^= b;
    status = logic_status(a);
  } else {
    if constexpr (Op == Alu::Add) {
      VITRINE_ASM_WITH_FLAGS("add")
    } else if constexpr (Op == Alu::Sub || Op == Alu::Cmp) {
      VITRINE_ASM_WITH_FLAGS("sub")
    } else if constexpr (Op == Alu::Adc) {
      VITRINE_ASM_WITH_CARRY("adc")
    } else {
      VITRINE_ASM_WITH_CARRY("sbb")
    }
    status = static_cast<u16>(ax);
  }
  return a;
}

#undef VITRINE_ASM_WITH_FLAGS
#undef VITRINE_ASM_WITH_CARRY

template <class T>
VITRINE_INLINE T increment(T a, u16& status) {
  const u16 carry = status & status_bit::carry;
  a = alu<Alu::Add, T>(a, 1, status);
  status = static_cast<u16>((status & ~status_bit::carry) | carry);
  return a;
}

template <class T>
VITRINE_INLINE T decrement(T a, u16& status) {
  const u16 carry = status & status_bit::carry;
  a = alu<Alu::Sub, T>(a, 1, status);
  status = static_cast<u16>((status & ~status_bit::carry) | carry);
  return a;
}

/// The 16 conditions of Jcc, SETcc, CMOVcc in encoding order (SDM vol. 1 appendix B).
template <u8 Code>
VITRINE_INLINE bool condition(u16 status) {
  bool result = false;
  if constexpr ((Code & 14) == 0) result = (status & status_bit::overflow) != 0;
  if constexpr ((Code & 14) == 2) result = (status & status_bit::carry) != 0;
  if constexpr ((Code & 14) == 4) result = (status & status_bit::zero) != 0;
  if constexpr ((Code & 14) == 6) result = (status & (status_bit::zero | status_bit::carry)) != 0;
  if constexpr ((Code & 14) == 8) result = (status & status_bit::sign) != 0;
  if constexpr ((Code & 14) == 10) result = (status & status_bit::parity) != 0;
  if constexpr ((Code & 14) == 12) result = ((status >> 15 ^ status) & 1) != 0;
  if constexpr ((Code & 14) == 14) result = ((status >> 15 ^ status) & 1) != 0 || (status & status_bit::zero) != 0;
  return (Code & 1) != 0 ? !result : result;
}

/// `pick(std::integral_constant<u8, code>)` for the condition code of a decoded mnemonic.
template <class Pick>
Handler by_condition(u8 code, Pick&& pick) {
  Handler result = nullptr;
  [&]<std::size_t... Codes>(std::index_sequence<Codes...>) {
    ((code == Codes ? void(result = pick(std::integral_constant<u8, Codes>{})) : void()), ...);
  }(std::make_index_sequence<16>{});
  return result;
}

}  // namespace vitrine
