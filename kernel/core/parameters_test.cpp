#include "kernel/core/parameters.hpp"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(Parameters, a_word_is_found_only_as_a_whole) {
  const Parameters parameters("quiet  no-remap hz=100");
  EXPECT_TRUE(parameters.has("no-remap"));
  EXPECT_FALSE(parameters.has("no"));
  EXPECT_FALSE(parameters.has("hz"));
}

TEST(Parameters, the_last_of_two_values_counts) { EXPECT_EQ(Parameters("hz=100 hz=250").number("hz"), 250u); }

TEST(Parameters, a_list_has_its_words_and_all_has_every_word) {
  const Parameters parameters("polled=disk,timer other=all");
  EXPECT_TRUE(parameters.lists("polled", "disk"));
  EXPECT_TRUE(parameters.lists("polled", "timer"));
  EXPECT_FALSE(parameters.lists("polled", "time"));
  EXPECT_TRUE(parameters.lists("other", "disk"));
  EXPECT_FALSE(parameters.lists("none", "disk"));
}

TEST(Parameters, what_is_no_number_is_nothing) {
  EXPECT_FALSE(Parameters("hz=12x").number("hz"));
  EXPECT_FALSE(Parameters("hz=").number("hz"));
  EXPECT_FALSE(Parameters("hz=99999999999999999999").number("hz"));
  EXPECT_FALSE(Parameters("").number("hz"));
}

}  // namespace
}  // namespace pulse
