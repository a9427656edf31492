// A fuzzer's input, handed out piece by piece.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>

#include "base/types.hpp"

namespace vitrine {

/// Hands out the bytes of the input; zeroes after its end.
class InputBytes {
 public:
  explicit InputBytes(std::span<const u8> bytes) : bytes_(bytes) {}
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] std::span<const u8> rest() const { return bytes_; }
  /// The next `count` bytes (at most 8) as a little-endian number.
  u64 take(std::size_t count) {
    u64 value = 0;
    const std::size_t have = std::min(count, bytes_.size());
    if (have != 0) std::memcpy(&value, bytes_.data(), have);
    bytes_ = bytes_.subspan(have);
    return value;
  }

 private:
  std::span<const u8> bytes_;
};

}  // namespace vitrine
