// Numbers of 128 bits for the x87's transcendental functions: integers only, so that they are the same on any host.
//
// The manual asks for an error below one unit in the last of 64 places (SDM vol. 1 §8.3.10); here about 2^-115 comes
// before the rounding, so that results are correctly rounded but for one case in 2^50.
#pragma once

#include "machine/cpu/x87.hpp"

namespace vitrine::real {

/// (-1)^negative * mantissa / 2^127 * 2^exponent, the mantissa's top bit set; or zero.
struct Real {
  u128 mantissa = 0;
  int exponent = 0;
  bool negative = false;
};

inline constexpr u128 one_q127 = u128{1} << 127;
constexpr u128 wide(u64 high, u64 low) { return u128{high} << 64 | low; }

[[nodiscard]] Real from_float(const Float80& value);  ///< a finite number
[[nodiscard]] Real normalised(u128 mantissa, int exponent, bool negative);
[[nodiscard]] Real multiply(const Real& a, const Real& b);
[[nodiscard]] Real divide(const Real& a, const Real& b);
/// |a| as an integer multiple of 2^-fraction_bits, truncated; it must fit.
[[nodiscard]] u128 to_fixed(const Real& a, int fraction_bits);
/// The next number towards zero or away from it: for results a hair off an exact one, so that rounding sees them
/// inexact.
[[nodiscard]] Real just_below(const Real& a);
[[nodiscard]] Real just_above(const Real& a);

[[nodiscard]] Real sine(const Real& x);                   ///< |x| <= pi/4
[[nodiscard]] Real cosine(const Real& x);                 ///< |x| <= pi/4
[[nodiscard]] Real arctangent(const Real& x);             ///< 0 <= x <= 1
[[nodiscard]] Real exponential_minus_one(const Real& x);  ///< |x| < 0.7
/// log2((1+s)/(1-s)) for |s| <= 0.2; its relative error is small for small s too.
[[nodiscard]] Real logarithm_of_ratio(const Real& s);

inline constexpr Real ln2{wide(0xB17217F7D1CF79AB, 0xC9E3B39803F2F6AF), -1, false};
inline constexpr Real pi{wide(0xC90FDAA22168C234, 0xC4C6628B80DC1CD1), 1, false};

/// Rounds to 64 bits as the control word says, with overflow, underflow, precision and C1.
void round_to_float(const Cpu& cpu, const Real& value, Float80& out, u16& status);

}  // namespace vitrine::real
