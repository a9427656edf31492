#include "machine/cpu/tlb.hpp"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

constexpr u64 page = 0x1000;

// The fast path compares the page of an access's last byte only.
TEST(TlbBank, neighbours_never_meet_in_a_slot) {
  for (u64 linear = 0; linear < u64{1} << 34; linear += page) {
    ASSERT_NE(TlbBank::data_slot(linear), TlbBank::data_slot(linear + page)) << std::hex << linear;
  }
  for (unsigned bit = 34; bit < 64; ++bit) {
    const u64 boundary = u64{1} << bit;
    EXPECT_NE(TlbBank::data_slot(boundary - page), TlbBank::data_slot(boundary)) << bit;
  }
  EXPECT_NE(TlbBank::data_slot(~u64{0}), TlbBank::data_slot(0)) << "where addresses wrap around";
}

TEST(TlbBank, pages_a_power_of_two_apart_do_not_meet) {
  for (unsigned bit = 12; bit < 32; ++bit) {
    for (u64 linear = 0; linear < u64{1} << 32; linear += 977 * page) {
      ASSERT_NE(TlbBank::data_slot(linear), TlbBank::data_slot(linear + (u64{1} << bit))) << std::hex << linear;
    }
  }
}

}  // namespace
}  // namespace vitrine
