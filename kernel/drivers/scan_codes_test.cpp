#include "kernel/drivers/scan_codes.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace pulse {
namespace {

struct Row {
  const char* name;
  std::vector<u8> codes;
  std::string typed;
};

class ScanCodesOfKeys : public testing::TestWithParam<Row> {};

TEST_P(ScanCodesOfKeys, type_what_linuxs_console_types) {
  ScanCodes keyboard;
  std::string typed;
  for (const u8 code : GetParam().codes) typed += keyboard.feed(code);
  EXPECT_EQ(typed, GetParam().typed);
}

const Row table[] = {
    {"letter", {0x1E, 0x9E}, "a"},
    {"digit_enter_space", {0x02, 0x1C, 0x39}, "1\r "},
    {"shift_down_and_up", {0x2A, 0x1E, 0xAA, 0x1E}, "Aa"},
    {"right_shift", {0x36, 0x28, 0xB6}, "\""},
    {"both_shifts_one_released", {0x2A, 0x36, 0xAA, 0x10, 0xB6, 0x10}, "Qq"},
    {"caps_lock_is_for_letters", {0x3A, 0xBA, 0x1E, 0x02, 0x2A, 0x1E}, "A1a"},
    {"control_letter",
     {0x1D, 0x2E, 0x9D, 0x2E},
     "\x03"
     "c"},
    {"control_backslash", {0x1D, 0x2B}, "\x1C"},
    {"alt_is_an_escape_before", {0x38, 0x1E}, "\033a"},
    {"backspace_is_del", {0x0E}, "\x7F"},
    {"arrows", {0xE0, 0x48, 0xE0, 0xC8, 0xE0, 0x4D}, "\033[A\033[C"},
    {"delete_home_end", {0xE0, 0x53, 0xE0, 0x47, 0xE0, 0x4F}, "\033[3~\033[1~\033[4~"},
    {"function_keys", {0x3B, 0x3F, 0x40, 0x44, 0x57, 0x58}, "\033[[A\033[[E\033[17~\033[21~\033[23~\033[24~"},
    {"keypad_enter_and_slash", {0xE0, 0x1C, 0xE0, 0x35}, "\r/"},
    {"pause_types_nothing", {0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5, 0x1E}, "a"},
    {"print_screen_shifts_nothing", {0xE0, 0x2A, 0xE0, 0x37, 0xE0, 0xB7, 0xE0, 0xAA, 0x1E}, "a"},
    {"right_control", {0xE0, 0x1D, 0x20, 0xE0, 0x9D}, "\x04"},
};
INSTANTIATE_TEST_SUITE_P(Table, ScanCodesOfKeys, testing::ValuesIn(table),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(ScanCodes, any_byte_may_come) {
  ScanCodes keyboard;
  for (int round = 0; round < 3; ++round) {
    for (int first = 0; first < 256; ++first) {
      for (int second = 0; second < 256; ++second) {
        EXPECT_LE(keyboard.feed(static_cast<u8>(first)).size(), 6u);
        EXPECT_LE(keyboard.feed(static_cast<u8>(second)).size(), 6u);
      }
    }
  }
}

}  // namespace
}  // namespace pulse
