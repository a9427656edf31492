#include <gtest/gtest.h>

#include "apps/text_matcher.hpp"
#include "apps/values.hpp"

namespace vitrine {
namespace {

TEST(Values, sizes_have_binary_units) {
  EXPECT_EQ(parse_size("256M"), u64{256} << 20);
  EXPECT_EQ(parse_size("1.5g"), u64{3} << 29);
  EXPECT_EQ(parse_size("64KiB"), 65536u);
  EXPECT_EQ(parse_size("0"), 0u);
  EXPECT_EQ(parse_size("10T"), u64{10} << 40);
  for (const char* bad : {"", "M", "12X", "-1M", "99999999999999999999", "18446744073709551615G", "1.M"}) {
    EXPECT_FALSE(parse_size(bad).has_value()) << bad;
  }
}

TEST(Values, durations_need_a_unit) {
  EXPECT_EQ(parse_duration("10s"), 10'000'000'000u);
  EXPECT_EQ(parse_duration("1.5ms"), 1'500'000u);
  EXPECT_EQ(parse_duration("2min"), 120'000'000'000u);
  EXPECT_EQ(parse_duration("7ns"), 7u);
  for (const char* bad : {"", "10", "s", "-1s", "10 s", "10sec", "99999999999h"}) {
    EXPECT_FALSE(parse_duration(bad).has_value()) << bad;
  }
}

TEST(Values, dates_are_utc) {
  EXPECT_EQ(parse_date("1970-01-01"), 0u);
  EXPECT_EQ(parse_date("2026-01-01"), 1'767'225'600u);
  EXPECT_EQ(parse_date("2026-01-01T00:00:01Z"), 1'767'225'601u);
  EXPECT_EQ(parse_date("2024-02-29 12:30"), 1'709'209'800u);
  for (const char* bad :
       {"", "2026", "2026-02-29", "2026-01-01T", "2026-01-01T25:00", "1969-01-01", "2100-01-01", "x"}) {
    EXPECT_FALSE(parse_date(bad).has_value()) << bad;
  }
}

TEST(Values, symbol_files_may_have_an_offset) {
  EXPECT_EQ(parse_symbol_file("map@0x1000").offset, 0x1000u);
  EXPECT_EQ(parse_symbol_file("map@0x1000").path, "map");
  EXPECT_EQ(parse_symbol_file("map@-16").offset, ~u64{15});
  EXPECT_EQ(parse_symbol_file("me@home").path, "me@home");
}

TEST(Values, an_nmi_has_a_time_and_a_source) {
  const auto value = [](const char* text) { return parse_nmi(text).value_or(Input{}).value; };
  EXPECT_EQ(parse_nmi("3ms")->time, Tick(3'000'000));
  EXPECT_EQ(value("3ms"), 3u);
  EXPECT_EQ(value("3ms,button"), 3u);
  EXPECT_EQ(value("3ms,io-check"), 1u);
  EXPECT_EQ(value("3ms,system-error"), 2u);
  for (const char* bad : {"", "3", "io-check", "3ms,parity", "3ms,io-check,button"}) {
    EXPECT_FALSE(parse_nmi(bad).has_value()) << bad;
  }
}

TEST(Values, cooling_is_in_degrees_and_has_bounds) {
  using Cooling = DieTemperature::Cooling;
  EXPECT_EQ(parse_cooling("ambient=45,rise=60.5"), (Cooling{.ambient = 45'000, .rise_at_full_load = 60'500}));
  EXPECT_EQ(parse_cooling("rise=70"), (Cooling{.rise_at_full_load = 70'000}));
  EXPECT_EQ(parse_cooling("ambient=90"), (Cooling{.ambient = 90'000}));
  for (const char* bad : {"", "45", "ambient", "ambient=", "ambient=-1", "ambient=91", "rise=151", "rise=1K", "air=20",
                          "rise=99999999999999999999"}) {
    EXPECT_FALSE(parse_cooling(bad).has_value()) << bad;
  }
}

bool matches(std::string text, std::string_view stream) {
  TextMatcher matcher(std::move(text));
  bool found = false;
  for (const char byte : stream) found = matcher.feed(static_cast<u8>(byte)) || found;
  return found;
}

TEST(TextMatcher, finds_text_behind_false_starts) {
  EXPECT_TRUE(matches("READY", "REREADY"));
  EXPECT_TRUE(matches("aab", "aaaaab"));
  EXPECT_TRUE(matches("abab", "xabaabab"));
  EXPECT_FALSE(matches("READY", "READ Y"));
  EXPECT_FALSE(matches("", "anything"));
}

TEST(TextMatcher, goes_on_after_a_match) {
  TextMatcher matcher("aa");
  int found = 0;
  for (int i = 0; i < 4; ++i) found += matcher.feed('a') ? 1 : 0;
  EXPECT_EQ(found, 3);
}

TEST(Values, a_hardware_error_has_a_time_and_maybe_a_cpu) {
  const auto corrected = parse_hardware_error("2s");
  ASSERT_TRUE(corrected.has_value());
  EXPECT_EQ(corrected->time, Tick(2'000'000'000));
  EXPECT_EQ(corrected->kind, InputKind::MachineCheck);
  EXPECT_EQ(corrected->value >> 16, 0u);
  const auto uncorrected = parse_hardware_error("1ms,cpu=3,uncorrected");
  ASSERT_TRUE(uncorrected.has_value());
  EXPECT_EQ(uncorrected->port, 3);
  EXPECT_EQ(uncorrected->value >> 16, 1u);
  for (const char* bad : {"", "soon", "1s,cpu", "1s,cpu=64", "1s,corrected"}) {
    EXPECT_FALSE(parse_hardware_error(bad).has_value()) << bad;
  }
}

TEST(Values, keys_may_be_escapes_and_names) {
  EXPECT_EQ(parse_keys("a"), (std::vector<KeyStroke>{{.scan_codes = 0x1C}, {.scan_codes = 0x1CF0}}));
  EXPECT_EQ(parse_keys("\\n"), parse_keys("<enter>"));
  EXPECT_EQ(parse_keys("").value().size(), 0u);
  EXPECT_EQ(parse_keys("a<wait 1.5s>").value().back(), KeyStroke{.pause = 1'500'000'000});
  EXPECT_EQ(parse_keys("<mouse 5 -3 1>").value(), (std::vector<KeyStroke>{{.motion = 0x100'FFFD'0005}}));
  EXPECT_EQ(parse_keys("a<mouse -1 2><wait 1s>").value()[2], KeyStroke{.motion = 0x2'FFFF});
  for (const char* bad : {"<mouse>", "<mouse 1>", "<mouse 1 x>", "<mouse 1 2 8>", "<mouse 40000 0>", "<mouse 1 2 3 4>"})
    EXPECT_FALSE(parse_keys(bad).has_value()) << bad;
  for (const char* bad : {"\xC3\xA4", "\\q", "<f2", "<nokey>", "<wait>", "<wait 2", "<wait long>"})
    EXPECT_FALSE(parse_keys(bad).has_value()) << bad;
}

}  // namespace
}  // namespace vitrine
