#include "kernel/drivers/text_screen.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace pulse {
namespace {

constexpr u16 rows = 4, columns = 8;

struct Screen {
  std::vector<u16> cells = std::vector<u16>(rows * columns);
  TextScreen screen{cells, rows, columns};

  Screen& put(std::string_view text) {
    for (const char character : text) screen.put(static_cast<u8>(character));
    return *this;
  }
  [[nodiscard]] std::string line(u16 row) const {
    std::string text;
    for (u16 i = 0; i < columns; ++i) text += static_cast<char>(cells[row * columns + i]);
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  }
  [[nodiscard]] std::string all() const {
    std::string text = line(0);
    for (u16 row = 1; row < rows; ++row) text += "|" + line(row);
    return text;
  }
};

struct Row {
  const char* name;
  const char* input;
  const char* screen;
  u16 row, column;
};

class TextScreenCodes : public testing::TestWithParam<Row> {};

TEST_P(TextScreenCodes, give_what_linuxs_console_gives) {
  Screen screen;
  screen.put(GetParam().input);
  EXPECT_EQ(screen.all(), GetParam().screen);
  EXPECT_EQ(screen.screen.row(), GetParam().row);
  EXPECT_EQ(screen.screen.column(), GetParam().column);
}

const Row table[] = {
    {"text", "ab\r\ncd", "ab|cd||", 1, 2},
    {"line_feed_keeps_the_column", "ab\nc", "ab|  c||", 1, 3},
    {"a_full_line_wraps_with_the_next_character", "12345678", "12345678|||", 0, 7},
    {"wrap", "123456789", "12345678|9||", 1, 1},
    {"a_full_line_and_a_line_end_are_one_line", "12345678\r\nx", "12345678|x||", 1, 1},
    {"scrolls", "1\r\n2\r\n3\r\n4\r\n5", "2|3|4|5", 3, 1},
    {"tab", "a\tb", "a      b|||", 0, 7},
    {"backspace", "abc\b\bX", "aXc|||", 0, 2},
    {"place", "\033[2;3Hx", "|  x||", 1, 3},
    {"place_is_kept_on_the_screen", "\033[99;99Hx", "|||       x", 3, 7},
    {"relative", "\033[2;2H\033[A\033[2Cx\033[B\033[D\033[Dy", "   x|  y||", 1, 3},
    {"erase_to_the_end_of_the_line", "abcdef\033[3G\033[K", "ab|||", 0, 2},
    {"erase_from_its_begin", "abcdef\033[3G\033[1K", "   def|||", 0, 2},
    {"erase_the_screen", "abc\r\ndef\033[2J\033[H", "|||", 0, 0},
    {"erase_below", "1\r\n2\r\n3\033[2;1H\033[J", "1|||", 1, 0},
    {"insert_lines", "1\r\n2\r\n3\033[2;1H\033[L", "1||2|3", 1, 0},
    {"delete_lines", "1\r\n2\r\n3\033[1;1H\033[M", "2|3||", 0, 0},
    {"delete_characters", "abcdef\033[2G\033[2P", "adef|||", 0, 1},
    {"insert_characters", "abc\033[1G\033[2@", "  abc|||", 0, 0},
    {"region", "1\r\n2\r\n3\r\n4\033[2;3r\033[3;1H\nx", "1|3|x|4", 2, 1},
    {"reverse_line_feed", "1\r\n2\033[H\033Mx", "x|1|2|", 0, 1},
    {"save_and_restore", "ab\0337cd\0338X", "abXd|||", 0, 3},
    {"a_title_is_not_shown", "\033]0;title\aok", "ok|||", 0, 2},
    {"unknown_codes_are_not_shown", "\033[?1049h\033(Bok\033[5q", "ok|||", 0, 2},
    {"utf8_is_one_question_mark", "\xC3\xA4x", "?x|||", 0, 2},
};
INSTANTIATE_TEST_SUITE_P(Table, TextScreenCodes, testing::ValuesIn(table),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(TextScreen, colours_become_vgas) {
  Screen screen;
  screen.put("\033[31ma\033[1mb\033[0;44mc\033[7md");
  EXPECT_EQ(screen.cells[0] >> 8, 0x04);  // red
  EXPECT_EQ(screen.cells[1] >> 8, 0x0C);  // bright red
  EXPECT_EQ(screen.cells[2] >> 8, 0x17);  // white on blue
  EXPECT_EQ(screen.cells[3] >> 8, 0x71);
}

TEST(TextScreen, answers_where_the_cursor_is) {
  Screen screen;
  screen.put("\033[2;3H\033[6n");
  EXPECT_EQ(screen.screen.answer(), "\033[2;3R");
}

TEST(TextScreen, random_bytes_stay_on_the_screen) {
  std::mt19937 random(1);
  Screen screen;
  for (int i = 0; i < 200'000; ++i) {
    static constexpr char likely[] = "\033[;0123456789rHABCDJKLMP@Xmu\r\n\tab";
    screen.screen.put(random() % 4 == 0 ? static_cast<u8>(random()) : static_cast<u8>(likely[random() % 33]));
    ASSERT_LT(screen.screen.row(), rows);
    ASSERT_LT(screen.screen.column(), columns);
  }
}

}  // namespace
}  // namespace pulse
