#include "machine/cpu/x87_real.hpp"

#include <array>
#include <bit>

namespace vitrine::real {
namespace {

/// Upper half of the product.
constexpr u128 multiply_high(u128 a, u128 b) {
  const u64 a1 = static_cast<u64>(a >> 64), a0 = static_cast<u64>(a), b1 = static_cast<u64>(b >> 64),
            b0 = static_cast<u64>(b);
  const u128 low = u128{a0} * b0, middle1 = u128{a1} * b0, middle2 = u128{a0} * b1, high = u128{a1} * b1;
  const u128 carry = (low >> 64) + static_cast<u64>(middle1) + static_cast<u64>(middle2);
  return high + (middle1 >> 64) + (middle2 >> 64) + (carry >> 64);
}
constexpr u128 multiply_q127(u128 a, u128 b) { return multiply_high(a, b) << 1; }

int leading_zeros(u128 value) {
  const u64 high = static_cast<u64>(value >> 64);
  return high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(static_cast<u64>(value));
}

constexpr unsigned terms = 18;
using Coefficients = std::array<u128, terms>;

/// 1, 1/(a*b), 1/(a*b*c*d), ...: every second term of the exponential series, from 1/first!.
constexpr Coefficients factorials(unsigned first) {
  Coefficients result{};
  u128 value = one_q127;
  unsigned next = first + 1;
  for (u128& coefficient : result) {
    coefficient = value;
    value /= next * (next + 1);
    next += 2;
  }
  return result;
}
constexpr Coefficients sine_coefficients = factorials(1), cosine_coefficients = factorials(0);

constexpr unsigned exponential_terms = 30;
constexpr std::array<u128, exponential_terms> exponential_coefficients = [] {  // 1/(k+1)!
  std::array<u128, exponential_terms> result{};
  u128 value = one_q127;
  for (unsigned k = 0; k < exponential_terms; ++k) {
    value /= k + 1;
    result[k] = value;
  }
  return result;
}();

constexpr unsigned odd_terms = 26;
constexpr std::array<u128, odd_terms> odd_reciprocals = [] {  // 1/(2k+1)
  std::array<u128, odd_terms> result{};
  for (unsigned k = 0; k < odd_terms; ++k) result[k] = one_q127 / (2 * k + 1);
  return result;
}();

enum class Signs : u8 { Same, Alternating };

/// Horner's rule for sum of coefficient[k] * (+-z)^k in Q127.
template <Signs S, std::size_t N>
u128 series(const std::array<u128, N>& coefficients, u128 z, std::size_t count) {
  u128 sum = coefficients[count - 1];
  for (std::size_t k = count - 1; k-- > 0;) {
    const u128 product = multiply_q127(z, sum);
    sum = S == Signs::Same ? coefficients[k] + product : coefficients[k] - product;
  }
  return sum;
}

u128 square_q127(const Real& x) {
  const u128 fixed = to_fixed(x, 127);
  return multiply_q127(fixed, fixed);
}

Real times_q127(const Real& a, u128 factor) { return multiply(a, normalised(factor, 0, false)); }

// atan(k/32) in Q128, from Euler's series.
constexpr std::array<u128, 33> arctangents = {
    wide(0x0000000000000000, 0x0000000000000000), wide(0x07FF556EEA5D892A, 0x13BCEBBB6ED46311),
    wide(0x0FFAADDB967EF4E3, 0x6CB2792DC0E2E0D5), wide(0x17EE182602F10E8C, 0x126ACFCF099F06CF),
    wide(0x1FD5BA9AAC2F6DC6, 0x5912F313E7D111DF), wide(0x27ADDDD18CC4D8B0, 0xD1D8674940D83FA1),
    wide(0x2F72F6979CB6044D, 0x1EC2D3E207271D22), wide(0x3721AEA524C14408, 0xBD88697072D54BC1),
    wide(0x3EB6EBF25901BAC5, 0x5B71E7BD7DE885F9), wide(0x462FD68C2FC5E098, 0x6523A458DFC414C7),
    wide(0x4D89DCDC1FAF2F34, 0xE2D5DA4C693D7994), wide(0x54C2B6654735276D, 0x4CDBFBBDFBECF461),
    wide(0x5BD86507937BC239, 0xC55190916E7F2242), wide(0x62C934E5286C95B6, 0xD0BA3748FA85146F),
    wide(0x6993BB0F308FF2DB, 0x213E4AF4800F389B), wide(0x7036D3253B27BE33, 0xE318F6CB3CC65C02),
    wide(0x76B19C1586ED3DA2, 0xB7F222F65E1D4682), wide(0x7D03742D50505F2E, 0x33691E3EAEE47661),
    wide(0x832BF4A6D9867E2A, 0x4B6A09CB61A515C1), wide(0x892AECDFDE9547B5, 0x094478FC472B4AFC),
    wide(0x8F005D5EF7F59F9B, 0x5C835E1665C43748), wide(0x94AC72C9847186F6, 0x18C4F393F78A32F9),
    wide(0x9A2F80E671BDDA20, 0x4226F8E2204FF3BD), wide(0x9F89FDC4F4B7A1EC, 0xF8B492644F0701E0),
    wide(0xA4BC7D1934F70924, 0x19A87F2A457DAC9F), wide(0xA9C7ABDC4830F5C8, 0x916A84B5BE7933F6),
    wide(0xAEAC4C38B4D8C080, 0x14725E2F3E52070A), wide(0xB36B31C91F043691, 0x590141744462F93A),
    wide(0xB8053E2BC2319E73, 0xCB2DA55210A4443D), wide(0xBC7B5DEAE98AF280, 0xD4113006E80FB290),
    wide(0xC0CE85B8AC526640, 0x89DD62C46E92FA25), wide(0xC4FFAFFABF8FBD54, 0x8CB43D10BC9E0221),
    wide(0xC90FDAA22168C234, 0xC4C6628B80DC1CD1)};

constexpr Real log2_e{wide(0xB8AA3B295C17F0BB, 0xBE87FED0691D3E89), 0, false};

}  // namespace

Real normalised(u128 mantissa, int exponent, bool negative) {
  if (mantissa == 0) return {0, 0, negative};
  const int shift = leading_zeros(mantissa);
  return {mantissa << shift, exponent - shift, negative};
}

Real from_float(const Float80& value) {
  const int exponent = value.sign_exponent & 0x7FFF;
  return normalised(u128{value.mantissa} << 64, (exponent == 0 ? 1 : exponent) - 16383,
                    (value.sign_exponent & 0x8000) != 0);
}

Real multiply(const Real& a, const Real& b) {
  if (a.mantissa == 0 || b.mantissa == 0) return {0, 0, a.negative != b.negative};
  return normalised(multiply_high(a.mantissa, b.mantissa), a.exponent + b.exponent + 1, a.negative != b.negative);
}

Real divide(const Real& a, const Real& b) {
  u128 rest = a.mantissa, quotient = 0;
  bool carry = false;
  for (int i = 0; i < 128; ++i) {  // bits of weight 2^0, 2^-1, ...
    quotient <<= 1;
    if (carry || rest >= b.mantissa) {
      rest -= b.mantissa;
      quotient |= 1;
    }
    carry = (rest >> 127) != 0;
    rest <<= 1;
  }
  return normalised(quotient, a.exponent - b.exponent, a.negative != b.negative);
}

u128 to_fixed(const Real& a, int fraction_bits) {
  const int shift = 127 - a.exponent - fraction_bits;
  return a.mantissa == 0 || shift > 127 ? 0 : a.mantissa >> shift;
}

Real just_below(const Real& a) {
  Real result = normalised(a.mantissa - 1, a.exponent, a.negative);
  result.mantissa |= 1;
  return result;
}
Real just_above(const Real& a) { return {a.mantissa | 1, a.exponent, a.negative}; }

Real sine(const Real& x) {
  return just_below(times_q127(x, series<Signs::Alternating>(sine_coefficients, square_q127(x), terms)));
}

Real cosine(const Real& x) {
  return just_below(normalised(series<Signs::Alternating>(cosine_coefficients, square_q127(x), terms), 0, false));
}

Real exponential_minus_one(const Real& x) {
  const u128 z = to_fixed(x, 127);
  const u128 sum = x.negative ? series<Signs::Alternating>(exponential_coefficients, z, exponential_terms)
                              : series<Signs::Same>(exponential_coefficients, z, exponential_terms);
  return just_above(times_q127(x, sum));
}

Real arctangent(const Real& x) {
  // atan(x) = atan(c) + atan((x-c)/(1+x*c)), c = k/32 so that the rest is at most 1/64.
  const u128 fixed = to_fixed(x, 126);
  const unsigned k = static_cast<unsigned>((fixed + (u128{1} << 120)) >> 121);
  constexpr unsigned count = 12;  // 2^-12 at most per term
  if (k == 0) {
    return just_below(times_q127(x, series<Signs::Alternating>(odd_reciprocals, square_q127(x), count)));
  }
  const u128 centre = u128{k} << 121;
  const bool below = fixed < centre;
  const u128 difference = below ? centre - fixed : fixed - centre;
  const u128 denominator = (u128{1} << 126) + (fixed >> 5) * k;
  const Real rest = divide(normalised(difference, 1, false), normalised(denominator, 1, false));
  u128 part = 0;  // in Q127
  if (difference != 0) {
    part = to_fixed(times_q127(rest, series<Signs::Alternating>(odd_reciprocals, square_q127(rest), count)), 127);
  }
  const u128 base = arctangents[k] >> 1;
  return just_above(normalised(below ? base - part : base + part, 0, false));
}

Real logarithm_of_ratio(const Real& s) {
  // ln((1+s)/(1-s)) = 2 * (s + s^3/3 + s^5/5 + ...)
  const Real half = times_q127(s, series<Signs::Same>(odd_reciprocals, square_q127(s), odd_terms));
  Real result = multiply(half, log2_e);
  result.exponent += 1;
  return result;
}

void round_to_float(const Cpu& cpu, const Real& value, Float80& out, u16& status) {
  constexpr int bias = 16383, scaling = 24576;
  const u16 control = cpu.state.fpu.control;
  const u16 sign = value.negative ? 0x8000 : 0;
  if (value.mantissa == 0) {
    out.mantissa = 0;
    out.sign_exponent = sign;
    return;
  }
  int exponent = value.exponent + bias;
  u128 mantissa = value.mantissa;
  const auto fits_up = [&] {  // away from zero, for what is cut off
    switch (control >> 10 & 3) {
      case 0: {
        const u64 rest = static_cast<u64>(mantissa);
        return rest > integer_bit || (rest == integer_bit && (mantissa >> 64 & 1) != 0);
      }
      case 1:
        return value.negative && static_cast<u64>(mantissa) != 0;
      case 2:
        return !value.negative && static_cast<u64>(mantissa) != 0;
      default:
        return false;
    }
  };
  const bool tiny = exponent < 0 || (exponent == 0 && !(static_cast<u64>(mantissa >> 64) == ~u64{0} && fits_up()));
  if (tiny) {
    if ((control & x87_bit::underflow) == 0) {
      status |= x87_bit::underflow;
      exponent += scaling;
    } else {
      const int shift = 1 - exponent;
      const bool lost = shift > 127 || (mantissa << (128 - shift)) != 0;
      mantissa = shift > 127 ? 0 : mantissa >> shift;
      if (lost) mantissa |= 1;
      exponent = 0;
    }
  }
  const bool inexact = static_cast<u64>(mantissa) != 0;
  const bool up = fits_up();
  u64 rounded = static_cast<u64>(mantissa >> 64);
  if (up && ++rounded == 0) {
    rounded = integer_bit;
    ++exponent;
  }
  if (exponent == 0 && (rounded & integer_bit) != 0) exponent = 1;
  if (inexact) {
    status |= x87_bit::precision;
    if (exponent == 0 || (tiny && (control & x87_bit::underflow) != 0)) status |= x87_bit::underflow;
    if (up) status |= x87_bit::c1;
  }
  if (exponent > 0x7FFE) {
    status |= x87_bit::overflow;
    if ((control & x87_bit::overflow) == 0) {
      exponent -= scaling;
    } else {
      status |= x87_bit::precision;
      const unsigned mode = control >> 10 & 3;
      const bool largest = mode == 3 || (mode == 1 && !value.negative) || (mode == 2 && value.negative);
      rounded = largest ? ~u64{0} : integer_bit;
      exponent = largest ? 0x7FFE : 0x7FFF;
      status = static_cast<u16>(largest ? status & ~x87_bit::c1 : status | x87_bit::c1);
    }
  }
  out.mantissa = rounded;
  out.sign_exponent = static_cast<u16>(sign | (exponent & 0x7FFF));
}

}  // namespace vitrine::real
