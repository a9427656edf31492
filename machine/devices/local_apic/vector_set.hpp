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
  void add(u8 vector) { words_[vector >> 6] |= u64{1} << (vector & 63); }
  void remove(u8 vector) { words_[vector >> 6] &= ~(u64{1} << (vector & 63)); }
  [[nodiscard]] bool empty() const { return (words_[0] | words_[1] | words_[2] | words_[3]) == 0; }
  /// The one with the highest priority.
  [[nodiscard]] std::optional<u8> highest() const {
    for (unsigned i = 4; i-- > 0;) {
      if (words_[i] != 0) return static_cast<u8>(i * 64 + 63 - static_cast<unsigned>(std::countl_zero(words_[i])));
    }
    return std::nullopt;
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
  void exchange(Archive& archive) { archive(words_); }

 private:
  std::array<u64, 4> words_{};
};

}  // namespace vitrine
