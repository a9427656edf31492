// Fixed-width integers and the distinct number types of the machine.
//
// A Port is not a Vector, and a Tick is not an instruction count: each quantity that the hardware
// keeps apart is a type of its own, converted only by name.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace vitrine {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using u128 = unsigned __int128;
using i128 = __int128;

/// A number of one kind. `Tag` makes it distinct, `Rep` is its width.
template <class Tag, class Rep>
struct Quantity {
  Rep value{};

  constexpr Quantity() = default;
  constexpr explicit Quantity(Rep initial) : value(initial) {}

  constexpr auto operator<=>(const Quantity&) const = default;
  constexpr Quantity operator+(Rep difference) const { return Quantity(static_cast<Rep>(value + difference)); }
  constexpr Quantity operator-(Rep difference) const { return Quantity(static_cast<Rep>(value - difference)); }
  constexpr Quantity& operator+=(Rep difference) {
    value = static_cast<Rep>(value + difference);
    return *this;
  }
};

/// An I/O port, 0..0xFFFF.
using Port = Quantity<struct PortTag, u16>;
/// A physical address, at most 52 bits.
using PhysicalAddress = Quantity<struct PhysicalAddressTag, u64>;
/// A linear (virtual) address, after segmentation and before paging.
using LinearAddress = Quantity<struct LinearAddressTag, u64>;
/// An interrupt vector, 0..255: the index into the IDT.
using Vector = Quantity<struct VectorTag, u8>;
/// An input pin of a chip, counted as its data sheet counts.
using Pin = Quantity<struct PinTag, u8>;
/// Virtual time in nanoseconds since power-on.
using Tick = Quantity<struct TickTag, u64>;

inline constexpr Tick never{~u64{0}};

}  // namespace vitrine
