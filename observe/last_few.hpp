// The newest few of a sequence, oldest first.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

namespace vitrine {

template <class Value, std::size_t Most>
class LastFew {
 public:
  /// Returns the oldest one if it had to make room.
  std::optional<Value> push(const Value& value) {
    if (count_ < Most) {
      place(count_++) = value;
      return std::nullopt;
    }
    const Value oldest = place(0);
    place(0) = value;
    first_ = (first_ + 1) % Most;
    return oldest;
  }
  void erase(const Value& value) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      if (place(i) != value) place(kept++) = place(i);
    }
    count_ = kept;
  }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] const Value& operator[](std::size_t index) const { return values_[(first_ + index) % Most]; }

 private:
  Value& place(std::size_t index) { return values_[(first_ + index) % Most]; }

  std::array<Value, Most> values_{};
  std::size_t first_ = 0, count_ = 0;
};

}  // namespace vitrine
