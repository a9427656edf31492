#include "observe/bounded_map.hpp"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

TEST(BoundedMap, the_entries_put_in_longest_ago_make_room_whatever_their_keys) {
  BoundedMap<u64, int, 8> map;
  for (u64 key = 100; key > 92; --key) map.set(key, 1);
  map.set(100, 2);  // the newest again
  map.set(1, 3);
  EXPECT_LE(map.size(), 8u);
  EXPECT_NE(map.find(100), nullptr);
  EXPECT_NE(map.find(1), nullptr);
  EXPECT_EQ(map.find(99), nullptr);
  EXPECT_NE(map.find(93), nullptr);
}

}  // namespace
}  // namespace vitrine
