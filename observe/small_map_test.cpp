#include "observe/small_map.hpp"

#include <gtest/gtest.h>

#include "base/types.hpp"

namespace vitrine {
namespace {

TEST(SmallMap, entries_stand_in_the_order_of_their_keys) {
  SmallMap<u8, int> map;
  for (const u8 key : {u8{0x51}, u8{0x30}, u8{0xF0}, u8{0x41}}) map[key] = key + 1;
  std::vector<std::pair<u8, int>> listed(map.begin(), map.end());
  EXPECT_EQ(listed, (std::vector<std::pair<u8, int>>{{0x30, 0x31}, {0x41, 0x42}, {0x51, 0x52}, {0xF0, 0xF1}}));
  EXPECT_EQ(map.rbegin()->first, 0xF0);
  EXPECT_EQ(map.at(0x41), 0x42);
}

TEST(SmallMap, a_key_is_there_once_until_it_is_erased) {
  SmallMap<u8, int> map;
  map[4] = 1;
  map[4] = 2;
  EXPECT_EQ(map.at(4), 2);
  map.erase(3);
  map.erase(4);
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map[4], 0);
}

}  // namespace
}  // namespace vitrine
