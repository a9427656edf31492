#include "observe/last_few.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace vitrine {
namespace {

template <std::size_t Most>
std::vector<int> listed(const LastFew<int, Most>& few) {
  std::vector<int> values;
  for (std::size_t i = 0; i < few.size(); ++i) values.push_back(few[i]);
  return values;
}

TEST(LastFew, the_oldest_makes_room_and_is_handed_back) {
  LastFew<int, 3> few;
  for (const int value : {1, 2, 3}) EXPECT_FALSE(few.push(value));
  EXPECT_EQ(few.push(4), 1);
  EXPECT_EQ(few.push(5), 2);
  EXPECT_EQ(listed(few), (std::vector{3, 4, 5}));
}

TEST(LastFew, what_is_erased_leaves_the_others_in_their_order) {
  LastFew<int, 4> few;
  for (const int value : {1, 2, 3, 4, 5, 6}) few.push(value);
  few.erase(4);
  EXPECT_EQ(listed(few), (std::vector{3, 5, 6}));
  EXPECT_FALSE(few.push(7));
  EXPECT_EQ(few.push(8), 3);
  EXPECT_EQ(listed(few), (std::vector{5, 6, 7, 8}));
}

}  // namespace
}  // namespace vitrine
