#include "kernel/core/short_list.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace pulse {
namespace {

class ShortLists : public testing::TestWithParam<std::size_t> {};

TEST_P(ShortLists, keep_what_was_added_and_destroy_each_element_once) {
  const auto counted = std::make_shared<int>(0);
  {
    ShortList<std::shared_ptr<int>, 4> list(GetParam());
    ASSERT_TRUE(list.has_room());
    for (std::size_t i = 0; i < GetParam(); ++i) list.add(counted);
    EXPECT_EQ(list.size(), GetParam());
    EXPECT_EQ(counted.use_count(), static_cast<long>(GetParam()) + 1);
    for (const auto& element : list.all()) EXPECT_EQ(element, counted);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

INSTANTIATE_TEST_SUITE_P(AroundTheFew, ShortLists, testing::Values(0, 1, 3, 4, 5, 100));

}  // namespace
}  // namespace pulse
