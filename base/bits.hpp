// Bit work, named.
#pragma once

#include "base/types.hpp"

namespace vitrine {

/// Bit `position` of `value` as a fact.
template <class T>
constexpr bool bit(T value, unsigned position) {
  return (value >> position & 1) != 0;
}

/// A value with only bit `position` set.
template <class T = u32>
constexpr T mask_of(unsigned position) {
  return static_cast<T>(T{1} << position);
}

/// Bits `high`..`low` of `value`, both included, shifted down to bit 0.
template <class T>
constexpr T bits(T value, unsigned high, unsigned low) {
  const unsigned width = high - low + 1;
  const T shifted = static_cast<T>(value >> low);
  return width >= sizeof(T) * 8 ? shifted : static_cast<T>(shifted & ((T{1} << width) - 1));
}

/// `value` with bit `position` set or cleared.
template <class T>
constexpr T with_bit(T value, unsigned position, bool set) {
  const T mask = static_cast<T>(T{1} << position);
  return static_cast<T>(set ? value | mask : value & static_cast<T>(~mask));
}

}  // namespace vitrine
