// FPREM and FPREM1: exact remainders, in integers.
//
// Manual: Intel SDM vol. 2. When the exponents differ by 64 or more, hardware reduces by N of them at a time, 32 <= N
// <= 63, and sets C2; N is 32 plus the low five bits of the difference, which Intel's and AMD's FPUs do alike.
#include <bit>

#include "machine/cpu/x87.hpp"

namespace vitrine {
namespace {

/// A finite number that is not zero: mantissa with its top bit set, value mantissa * 2^(exponent - 16383 - 63).
struct Finite {
  u64 mantissa;
  int exponent;
};

bool ordinary(const Float80& value) {
  const unsigned exponent = value.sign_exponent & 0x7FFF;
  if (exponent == 0x7FFF || value.mantissa == 0) return false;
  return exponent == 0 || (value.mantissa & integer_bit) != 0;
}

Finite normalise(const Float80& value) {
  const int exponent = value.sign_exponent & 0x7FFF;
  const int shift = std::countl_zero(value.mantissa);
  return {value.mantissa << shift, (exponent == 0 ? 1 : exponent) - shift};
}

/// Exact: the result has no more bits than there is room for, because it is a multiple of the divisor's last place.
void assemble(u64 mantissa, int exponent, u16 sign, Float80& out) {
  if (mantissa == 0) {
    out.mantissa = 0;
    out.sign_exponent = sign;
    return;
  }
  const int shift = std::countl_zero(mantissa);
  mantissa <<= shift;
  exponent -= shift;
  if (exponent >= 1) {
    out.mantissa = mantissa;
    out.sign_exponent = static_cast<u16>(sign | exponent);
  } else {
    out.mantissa = mantissa >> (1 - exponent);
    out.sign_exponent = sign;
  }
}

u16 quotient_bits(u64 quotient) {
  return static_cast<u16>(((quotient & 4) != 0 ? x87_bit::c0 : 0) | ((quotient & 2) != 0 ? x87_bit::c3 : 0) |
                          ((quotient & 1) != 0 ? x87_bit::c1 : 0));
}

/// Zeroes, infinities, NaNs, unsupported formats: nothing to reduce, so the host's instruction is the same everywhere.
void on_host(Remainder kind, u16 guest_status, u16 own, u16 running, const Float80& a, const Float80& b,
             X87Result& result) {
  u16 status;
  if (kind == Remainder::Truncated) {
    VITRINE_X87_STRICT("fldt %[b]\n\tfldt %[a]", "fprem",
                       "fstpt %[out]\n\tfstp %%st(0)", [out] "=m"(result.value), [a] "m"(a)VITRINE_COMMA[b] "m"(b));
  } else {
    VITRINE_X87_STRICT("fldt %[b]\n\tfldt %[a]", "fprem1",
                       "fstpt %[out]\n\tfstp %%st(0)", [out] "=m"(result.value), [a] "m"(a)VITRINE_COMMA[b] "m"(b));
  }
  result.status = status & (x87_bit::flags | x87_bit::conditions);
  const bool nan = (result.value.sign_exponent & 0x7FFF) == 0x7FFF && result.value.mantissa << 1 != 0;
  if (nan) {  // there is no quotient: C2 and C1 are cleared, C0 and C3 stay
    constexpr u16 kept = x87_bit::c0 | x87_bit::c3;
    result.status = static_cast<u16>((status & x87_bit::flags) | (guest_status & kept));
  }
}

}  // namespace

void x87_remainder(const Cpu& cpu, Remainder kind, const Float80& dividend, const Float80& divisor, X87Result& result) {
  if (!ordinary(dividend) || !ordinary(divisor)) {
    on_host(kind, cpu.state.fpu.status, strict_control(cpu), running_control(cpu), dividend, divisor, result);
    return;
  }
  const bool denormal = (dividend.sign_exponent & 0x7FFF) == 0 || (divisor.sign_exponent & 0x7FFF) == 0;
  u16 status = denormal ? x87_bit::denormal : 0;
  const Finite a = normalise(dividend), b = normalise(divisor);
  u16 sign = dividend.sign_exponent & 0x8000;
  const int difference = a.exponent - b.exponent;
  u64 remainder = a.mantissa;
  int exponent = a.exponent;
  if (difference >= 64) {
    // Partial: subtract b * 2^(D-N) as often as it goes; what is left is below that.
    const int steps = 32 + (difference & 31);
    remainder = static_cast<u64>((u128{a.mantissa} << steps) % b.mantissa);
    exponent = a.exponent - steps;
    status |= x87_bit::c2;
  } else {
    u64 quotient = 0;
    if (difference >= 0) {
      const u128 shifted = u128{a.mantissa} << difference;
      quotient = static_cast<u64>(shifted / b.mantissa);
      remainder = static_cast<u64>(shifted % b.mantissa);
      exponent = b.exponent;
    }
    if (kind == Remainder::Nearest && difference >= -1) {
      // To nearest, ties to even. For a difference of -1 the remainder still counts in halves of b's place.
      const u128 twice = difference >= 0 ? u128{remainder} << 1 : u128{remainder};
      if (twice > b.mantissa || (twice == b.mantissa && (quotient & 1) != 0)) {
        ++quotient;
        sign ^= 0x8000;
        if (difference >= 0) {
          remainder = b.mantissa - remainder;
        } else {
          const u128 left = (u128{b.mantissa} << 1) - remainder;  // in halves
          // left < 2 * b - b = b: it fits
          remainder = static_cast<u64>(left);
        }
      }
    }
    status |= quotient_bits(quotient);
  }
  assemble(remainder, exponent, sign, result.value);
  const bool tiny = result.value.mantissa != 0 && (result.value.sign_exponent & 0x7FFF) == 0;
  // Exact, so an underflow shows only when it is unmasked.
  if (tiny && (cpu.state.fpu.control & x87_bit::underflow) == 0) status |= x87_bit::underflow;
  result.status = status;
}

}  // namespace vitrine
