// Read-only memory of a guest kernel, as linear addresses: what the finders of kernel tables look at.
#pragma once

#include <span>
#include <vector>

#include "base/types.hpp"

namespace vitrine {

class GuestView {
 public:
  virtual ~GuestView() = default;
  /// Copies `into.size()` bytes from `linear` on. False: some of it can't be read, and `into` is not defined.
  [[nodiscard]] virtual bool read(u64 linear, std::span<u8> into) const = 0;

  /// A little-endian number of `bytes` bytes; false as read().
  [[nodiscard]] bool number(u64 linear, unsigned bytes, u64& value) const {
    u8 raw[8] = {};
    if (!read(linear, {raw, bytes})) return false;
    value = 0;
    for (unsigned i = 0; i < bytes; ++i) value |= u64{raw[i]} << (8 * i);
    return true;
  }
  /// `size` bytes, or nothing if they can't be read.
  [[nodiscard]] std::vector<u8> bytes(u64 linear, std::size_t size) const {
    std::vector<u8> found(size);
    if (!read(linear, found)) found.clear();
    return found;
  }
};

/// Where a kernel lies.
struct KernelRange {
  u64 begin = 0, end = 0;     ///< linear addresses
  unsigned pointer_size = 8;  ///< 8 or 4
};

}  // namespace vitrine
