// Counts values of any size in bounded memory, for medians and percentiles.
//
// Log-linear: values below 128 have a bucket each; above, every power of two is cut into 64 buckets, and a bucket
// answers with its middle. A quantile is therefore off by at most 1/128 of its value (0.8 %); minimum and maximum are
// exact. At most 3776 buckets, allocated as far as the values reach.
#pragma once

#include <algorithm>
#include <bit>
#include <vector>

#include "base/types.hpp"

namespace vitrine {

class Histogram {
 public:
  void add(u64 value) {
    const std::size_t index = bucket_of(value);
    if (index >= buckets_.size()) buckets_.resize(index + 1);
    ++buckets_[index];
    minimum_ = count_ == 0 ? value : std::min(minimum_, value);
    maximum_ = std::max(maximum_, value);
    ++count_;
  }

  [[nodiscard]] u64 count() const { return count_; }
  [[nodiscard]] u64 minimum() const { return minimum_; }
  [[nodiscard]] u64 maximum() const { return maximum_; }

  /// The smallest value that at least `percent` of all values do not exceed (nearest rank). 0 when empty.
  [[nodiscard]] u64 percentile(u32 percent) const {
    if (count_ == 0) return 0;
    const u64 rank = std::max<u64>(1, static_cast<u64>((static_cast<u128>(count_) * percent + 99) / 100));
    u64 seen = 0;
    for (std::size_t index = 0; index < buckets_.size(); ++index) {
      seen += buckets_[index];
      if (seen >= rank) return std::clamp(middle_of(index), minimum_, maximum_);
    }
    return maximum_;
  }

 private:
  static constexpr unsigned linear_bits = 6;
  static constexpr u64 per_octave = u64{1} << linear_bits;

  static constexpr std::size_t bucket_of(u64 value) {
    if (value < per_octave) return static_cast<std::size_t>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - linear_bits - 1;
    return static_cast<std::size_t>((shift + 1) * per_octave + ((value >> shift) - per_octave));
  }
  static constexpr u64 middle_of(std::size_t index) {
    if (index < per_octave) return index;
    const unsigned shift = static_cast<unsigned>(index / per_octave) - 1;
    const u64 low = (index % per_octave + per_octave) << shift;
    return low + ((u64{1} << shift) >> 1);
  }

  std::vector<u64> buckets_;
  u64 count_ = 0;
  u64 minimum_ = 0;
  u64 maximum_ = 0;
};

}  // namespace vitrine
