// Which guest memory is there, which is taken, where a block fits.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/types.hpp"
#include "machine/boot/memory_map.hpp"
#include "machine/core/bus.hpp"

namespace vitrine {

/// First address at or above `address` that is a multiple of `alignment` (a power of two); none beyond 2^64.
[[nodiscard]] constexpr std::optional<u64> align_up(u64 address, u64 alignment) {
  const u64 mask = alignment - 1;
  if (address > ~u64{0} - mask) return std::nullopt;
  return (address + mask) & ~mask;
}

class GuestMemory {
 public:
  /// Where a block may lie: all of it in `first`..`last`, both included.
  struct Limits {
    u64 first = 0;
    u64 last = ~u64{0};
  };

  GuestMemory(const MemoryMap& map, MemoryBus& bus);

  /// All of `start`, `size` is RAM. False for a block that runs beyond 2^64.
  [[nodiscard]] bool is_ram(u64 start, u64 size) const;
  [[nodiscard]] bool is_free(u64 start, u64 size) const;
  /// Bytes of RAM.
  [[nodiscard]] u64 ram_bytes() const;
  /// Bytes of RAM without a gap from `start` on.
  [[nodiscard]] u64 ram_from(u64 start) const;

  /// Nothing will be placed there any more.
  void take(u64 start, u64 size);
  /// The lowest or highest place in RAM that is not taken. `alignment` is a power of two.
  [[nodiscard]] std::optional<u64> lowest_place(u64 size, u64 alignment, Limits limits) const;
  [[nodiscard]] std::optional<u64> highest_place(u64 size, u64 alignment, Limits limits) const;

  /// False if any byte is not RAM.
  [[nodiscard]] bool write(u64 start, std::span<const u8> bytes);
  [[nodiscard]] bool fill_with_zeroes(u64 start, u64 size);
  [[nodiscard]] bool read(u64 start, std::span<u8> into) const;

 private:
  struct Range {
    u64 first, last;  // both included
  };
  // The free stretches of RAM, ascending.
  [[nodiscard]] std::vector<Range> free_ranges() const;

  MemoryBus* bus_;
  std::vector<Range> ram_;    // ascending, merged
  std::vector<Range> taken_;  // ascending, merged
};

}  // namespace vitrine
