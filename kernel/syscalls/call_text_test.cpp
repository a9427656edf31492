#include "kernel/syscalls/call_text.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace {

using namespace pulse;

std::string said(u32 number, std::string_view name, const Result<u64>& result) {
  char buffer[160];
  BufferSink text(buffer);
  const std::array<u64, 6> arguments{1, 2, 3, 4, 5, 0x6000};
  put_call(text, number, name, arguments, result);
  return std::string(text.text());
}

TEST(CallText, has_the_arguments_that_the_call_has) {
  EXPECT_EQ(said(39, "getpid", 12), "getpid() = 12");
  EXPECT_EQ(said(3, "close", 0), "close(0x1) = 0");
  EXPECT_EQ(said(302, "prlimit64", 0), "prlimit64(0x1, 0x2, 0x3, 0x4) = 0");
  EXPECT_EQ(said(332, "statx", 0), "statx(0x1, 0x2, 0x3, 0x4, 0x5) = 0");
  EXPECT_EQ(said(441, "epoll_pwait2", 0), "epoll_pwait2(0x1, 0x2, 0x3, 0x4, 0x5, 0x6000) = 0");
}

TEST(CallText, results_are_addresses_or_names_of_errors) {
  EXPECT_EQ(said(12, "brk", 0x40'0000), "brk(0x1) = 0x400000");
  EXPECT_EQ(said(2, "open", fail(Errno::NoEntry)), "open(0x1, 0x2, 0x3) = -ENOENT");
  EXPECT_EQ(said(61, "wait4", fail(Errno::RestartAlways)), "wait4(0x1, 0x2, 0x3, 0x4) = -ERESTARTSYS");
}

}  // namespace
