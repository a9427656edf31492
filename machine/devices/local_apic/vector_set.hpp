// 256 bits, one for each vector: IRR, ISR, TMR.
#pragma once

#include <array>
#include <bit>
#include <optional>

#include "base/types.hpp"
#include "machine/core/archive.hpp"

namespace vitrine {

class VectorSet {
 public:
  [[nodiscard]] bool has(u8 vector) const { return (words_[vector >> 6] >> (vector & 63) & 1) != 0; }
  void add(u8 vector) {
    words_[vector >> 6] |= u64{1} << (vector & 63);
    used_ |= 1u << (vector >> 6);
  }
  void remove(u8 vector) {
    if (empty()) return;
    u64& word = words_[vector >> 6];
    word &= ~(u64{1} << (vector & 63));
    if (word == 0) used_ &= ~(1u << (vector >> 6));
  }
  [[nodiscard]] bool empty() const { return used_ == 0; }
  /// The one with the highest priority.
  [[nodiscard]] std::optional<u8> highest() const {
    if (used_ == 0) return std::nullopt;
    const unsigned top = static_cast<unsigned>(std::bit_width(used_)) - 1;
    return static_cast<u8>(top * 64 + static_cast<unsigned>(std::bit_width(words_[top])) - 1);
  }
  /// Register `index`, 0..7, of the eight 32-bit registers that show the set.
  [[nodiscard]] u32 part(unsigned index) const { return static_cast<u32>(words_[index >> 1] >> 32 * (index & 1)); }
  /// Calls `visit` for each vector, the highest first. `visit` may change this set.
  template <class Visit>
  void for_each(Visit visit) const {
    for (unsigned i = 4; i-- > 0;) {
      for (u64 word = words_[i]; word != 0;) {
        const auto top = 63 - static_cast<unsigned>(std::countl_zero(word));
        word &= ~(u64{1} << top);
        visit(static_cast<u8>(i * 64 + top));
      }
    }
  }
  void exchange(Archive& archive) {
    archive(words_);
    used_ = 0;
    for (unsigned i = 0; i < words_.size(); ++i) used_ |= words_[i] != 0 ? 1u << i : 0;
  }

 private:
  std::array<u64, 4> words_{};
  u32 used_ = 0;  // bit i: word i is not 0
};

}  // namespace vitrine
