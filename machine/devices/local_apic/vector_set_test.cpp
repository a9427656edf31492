#include "machine/devices/local_apic/vector_set.hpp"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

VectorSet set_of(std::initializer_list<int> vectors) {
  VectorSet set;
  for (const int vector : vectors) set.add(static_cast<u8>(vector));
  return set;
}

TEST(VectorSet, highest_follows_what_is_added_and_removed) {
  VectorSet set = set_of({0x10, 0x3F, 0x40, 0xFF});
  for (const int expected : {0xFF, 0x40, 0x3F, 0x10}) {
    ASSERT_EQ(set.highest(), static_cast<u8>(expected));
    set.remove(static_cast<u8>(expected));
  }
  EXPECT_EQ(set.highest(), std::nullopt);
  EXPECT_TRUE(set.empty());
}

TEST(VectorSet, a_vector_that_is_removed_leaves_its_neighbours) {
  VectorSet set = set_of({0x80, 0x81});
  set.remove(0x81);
  set.remove(0x81);
  EXPECT_EQ(set.highest(), u8{0x80});
  set.remove(0x20);
  EXPECT_FALSE(set.empty());
}

TEST(VectorSet, restored_over_another_one_has_its_own_highest) {
  VectorSet saved = set_of({0x31, 0x92});
  Archive out = Archive::saver();
  saved.exchange(out);
  VectorSet set = set_of({0xEE});
  Archive in = Archive::loader(out.bytes());
  set.exchange(in);
  EXPECT_EQ(set.highest(), u8{0x92});
  set.remove(0x92);
  EXPECT_EQ(set.highest(), u8{0x31});
}

}  // namespace
}  // namespace vitrine
