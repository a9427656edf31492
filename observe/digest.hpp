// A rolling digest of the record stream: two runs that agree in it had the same interrupts at the same moments.
//
// Definition, so that another program can compute it. The state h is 64 bits, initially 0x56495452494E4521. Each record
// is taken as its nine little-endian 64-bit words w, in the order of struct Record (72 bytes), and for each word
//   h = (h xor w) * 0x9E3779B97F4A7C15 (mod 2^64);  h = h xor (h >> 32)
// Both steps are bijections of h, so no record is ever forgotten by the state. It is no cryptographic hash.
#pragma once

#include <array>
#include <bit>
#include <span>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"

namespace vitrine {

class Digest {
 public:
  constexpr void add(const Record& record) {
    static_assert(std::endian::native == std::endian::little);
    for (const u64 word : std::bit_cast<std::array<u64, sizeof(Record) / 8>>(record)) {
      state_ = (state_ ^ word) * 0x9E3779B97F4A7C15u;
      state_ ^= state_ >> 32;
    }
  }
  void add(std::span<const Record> records) {
    for (const Record& record : records) add(record);
  }
  [[nodiscard]] constexpr u64 value() const { return state_; }

 private:
  u64 state_ = 0x56495452494E4521u;
};

}  // namespace vitrine
