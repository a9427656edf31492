#include "machine/cpu/sse_approximate.hpp"

namespace vitrine {
namespace {

constexpr u32 sign_bit = 0x80000000, infinity = 0x7F800000, quiet = 0x00400000, indefinite = 0xFFC00000;
constexpr u32 implicit_one = 0x00800000, fraction_mask = 0x007FFFFF;

/// Largest r with r*r <= value, for value < 2^30.
u32 integer_root(u32 value) {
  u32 root = 0;
  for (u32 bit = 1u << 14; bit != 0; bit >>= 1) {
    const u32 candidate = root | bit;
    if (candidate * candidate <= value) root = candidate;
  }
  return root;
}

/// `rounded` in [2^12, 2^13] stands for rounded / 2^12; its exponent is `biased`, below 1: zero.
u32 assemble(u32 sign, int biased, u32 rounded) {
  if (rounded == 1u << 13) {
    rounded = 1u << 12;
    ++biased;
  }
  if (biased < 1) return sign;
  return sign | static_cast<u32>(biased) << 23 | (rounded - (1u << 12)) << 11;
}

}  // namespace

u32 reciprocal(u32 x) {
  const u32 sign = x & sign_bit, magnitude = x & ~sign_bit;
  const int biased = static_cast<int>(magnitude >> 23);
  if (magnitude > infinity) return x | quiet;
  if (magnitude == infinity) return sign;
  if (biased == 0) return sign | infinity;
  const u32 significand = (magnitude & fraction_mask) | implicit_one;
  // 1/(s * 2^e) = (2/s) * 2^(-e-1), and 2/s is in (1, 2].
  const u32 rounded = static_cast<u32>(((u64{1} << 36) + significand / 2) / significand);
  return assemble(sign, 253 - biased, rounded);
}

u32 reciprocal_root(u32 x) {
  const u32 sign = x & sign_bit, magnitude = x & ~sign_bit;
  const int biased = static_cast<int>(magnitude >> 23);
  if (magnitude > infinity) return x | quiet;
  if (biased == 0) return sign | infinity;
  if (sign != 0) return indefinite;
  if (magnitude == infinity) return 0;
  u32 significand = (magnitude & fraction_mask) | implicit_one;
  int exponent = biased - 127;
  if ((exponent & 1) != 0) {
    significand <<= 1;
    --exponent;
  }
  // With v = significand / 2^23 in [1, 4): 2/sqrt(v) is in (1, 2]. One bit more than needed, then rounded.
  const u32 root = integer_root(static_cast<u32>((u64{1} << 51) / significand));
  return assemble(0, 126 - exponent / 2, (root + 1) >> 1);
}

}  // namespace vitrine
