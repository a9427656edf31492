#include "machine/devices/i8042/us_layout.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace vitrine {
namespace {

using testing::ElementsAre;

std::vector<u64> codes(std::string_view text) { return scan_codes_for(text).value(); }

TEST(UsLayout, a_letter_is_its_key_down_and_up) { EXPECT_THAT(codes("a"), ElementsAre(0x1C, 0x1CF0)); }

TEST(UsLayout, a_capital_holds_shift) { EXPECT_THAT(codes("A"), ElementsAre(0x12, 0x1C, 0x1CF0, 0x12F0)); }

TEST(UsLayout, control_characters_are_keys) {
  EXPECT_THAT(codes("\n\t\b"), ElementsAre(0x5A, 0x5AF0, 0x0D, 0x0DF0, 0x66, 0x66F0));
}

TEST(UsLayout, extended_keys_have_their_prefix) { EXPECT_THAT(codes("<up>"), ElementsAre(0x75E0, 0x75F0E0)); }

TEST(UsLayout, modifiers_surround_their_key) {
  EXPECT_THAT(codes("<Ctrl-C>"), ElementsAre(0x14, 0x21, 0x21F0, 0x14F0));
  EXPECT_THAT(codes("<ctrl-alt-delete>"), ElementsAre(0x14, 0x11, 0x71E0, 0x71F0E0, 0x11F0, 0x14F0));
  EXPECT_THAT(codes("<ctrl-->"), ElementsAre(0x14, 0x4E, 0x4EF0, 0x14F0));
}

TEST(UsLayout, brackets_have_names) {
  EXPECT_EQ(codes("<lt>").at(1), 0x41u);
  EXPECT_EQ(codes("<gt>"), codes(">"));
}

TEST(UsLayout, print_screen_and_pause_have_sequences_of_their_own) {
  EXPECT_THAT(codes("<printscreen><pause>"), ElementsAre(0x7CE012E0, 0x12F0E07CF0E0, 0x77F014F0E17714E1));
}

TEST(UsLayout, every_printable_character_but_the_bracket_has_keys) {
  for (char c = ' '; c <= '~'; ++c) {
    if (c == '<') continue;
    EXPECT_TRUE(scan_codes_for(std::string(1, c)).has_value()) << c;
  }
}

struct ErrorRow {
  const char* text;
  LayoutProblem problem;
  std::size_t position;
  friend void PrintTo(const ErrorRow& row, std::ostream* out) { *out << row.text; }
};
class LayoutErrors : public testing::TestWithParam<ErrorRow> {};
TEST_P(LayoutErrors, say_what_and_where) {
  const auto result = scan_codes_for(GetParam().text);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().problem, GetParam().problem);
  EXPECT_EQ(result.error().position, GetParam().position);
}
INSTANTIATE_TEST_SUITE_P(Rows, LayoutErrors,
                         testing::Values(ErrorRow{"ab\xC3\xA4", LayoutProblem::UnknownCharacter, 2},
                                         ErrorRow{"a\rb", LayoutProblem::UnknownCharacter, 1},
                                         ErrorRow{"x<f13>", LayoutProblem::UnknownName, 1},
                                         ErrorRow{"<>", LayoutProblem::UnknownName, 0},
                                         ErrorRow{"<a>", LayoutProblem::UnknownName, 0},
                                         ErrorRow{"<ctrl->", LayoutProblem::UnknownName, 0},
                                         ErrorRow{"abc<up", LayoutProblem::Unclosed, 3}));

}  // namespace
}  // namespace vitrine
