#include "kernel/core/format.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pulse {
namespace {

template <class... Arguments>
std::string formatted(std::string_view text, const Arguments&... arguments) {
  char buffer[128];
  BufferSink sink(buffer);
  format(sink, text, arguments...);
  return std::string(sink.text());
}

TEST(Format, fills_places_in_order) {
  EXPECT_EQ(formatted("irq {} of {}{}", 7, "pic", '!'), "irq 7 of pic!");
  EXPECT_EQ(formatted("{{{}}}", true), "{true}");
}

TEST(Format, numbers_take_width_base_and_sign) {
  EXPECT_EQ(formatted("{:5}|{:03}|{:#x}|{:016x}", 42, 7u, 255, u64{0xABC}), "   42|007|0xff|0000000000000abc");
  EXPECT_EQ(formatted("{} {}", i64{-1} << 63, -5), "-9223372036854775808 -5");
}

TEST(Format, a_missing_argument_shows) { EXPECT_EQ(formatted("{} {}", 1), "1 {?}"); }

TEST(Format, what_does_not_fit_is_dropped) {
  char buffer[4];
  BufferSink sink(buffer);
  format(sink, "{}", "abcdefgh");
  EXPECT_EQ(sink.text(), "abcd");
}

}  // namespace
}  // namespace pulse
