// user/measure/three_ways.cpp on Pulse and on Debian's Linux: the table says what the ways of waiting cost.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/process.hpp"

namespace {

using vitrine::tests::run;

const std::string linux_kernel = GUESTS_FOLDER "/linux/vmlinuz";
const std::string initramfs = MEASURE_INITRAMFS;

struct Row {
  double instructions = 0, share = 0, calls = 0, wake_ups = 0, in_vain = 0, keys = 0, ticks = 0, milliseconds = 0,
         mean_delay = 0, longest_delay = 0;  ///< delays in microseconds
};
using Table = std::map<std::string, Row>;

Table table_in(const std::string& text) {
  Table table;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> cells;
    std::istringstream stream(line);
    for (std::string cell; std::getline(stream, cell, '|');) cells.push_back(cell);
    if (cells.size() != 11 || cells[1].find_first_of("0123456789") == std::string::npos) continue;
    const auto number = [&](std::size_t cell) { return std::strtod(cells[cell].c_str(), nullptr); };
    const std::string name = cells[0].substr(0, cells[0].find_last_not_of(' ') + 1);
    table[name] = {number(1), number(2), number(3), number(4), number(5),
                   number(6), number(7), number(8), number(9), number(10)};
  }
  return table;
}

/// One letter every 20 ms.
std::string letters() {
  std::string keys = "<wait 500ms>";
  for (int i = 0; i < 400; ++i) keys += static_cast<char>('a' + i % 26);
  return keys;
}

struct Boot {
  int status = -1;
  std::string out, err;
  Table table;
};

Boot boot(const std::string& kernel, const std::string& parameters, const std::vector<std::string>& more) {
  std::vector<std::string> words = {VITRINE_COMMAND, "run",    kernel,    "--initrd",   initramfs, "--append",
                                    parameters,      "--keys", letters(), "--max-time", "60s"};
  words.insert(words.end(), more.begin(), more.end());
  const auto result = run(words);
  return {result.status, result.out, result.err, table_in(result.out)};
}

const Boot& on_pulse() {
  static const Boot result =
      boot(PULSE_KERNEL, "loglevel=3 measure=three-ways,16,32,/dev/tty1", {"--check", "--check-fatal"});
  return result;
}
const Boot& on_linux() {
  static const Boot result =
      boot(linux_kernel, "console=ttyS0 quiet loglevel=0 measure=three-ways,16,32,/dev/tty1", {});
  return result;
}

struct Kernel {
  const char* name;
  const Boot& (*boot)();
  double longest_delay;  ///< microseconds: Pulse looks at its timers a thousand times a second
};

class ThreeWays : public testing::TestWithParam<Kernel> {
 protected:
  void SetUp() override {
    for (const std::string& needed : {linux_kernel, initramfs}) {
      if (!std::filesystem::exists(needed)) GTEST_SKIP() << needed << " is not there: `make guests` gets it";
    }
    const Boot& boot = GetParam().boot();
    ASSERT_EQ(boot.status, 0) << boot.err;
    ASSERT_EQ(boot.table.size(), 7U) << boot.out;
  }
  static const Row& row(const std::string& way) { return GetParam().boot().table.at(way); }
  static inline const std::vector<std::string> suspending = {"A blocking read", "B poll", "B select", "C epoll"};
  static constexpr double keys = 16, ticks = 32;
};

TEST_P(ThreeWays, every_way_receives_every_key_and_every_tick) {
  for (const auto& [name, row] : GetParam().boot().table) {
    if (name == "nobody waits") continue;
    EXPECT_GE(row.keys, keys) << name;
    EXPECT_GE(row.ticks, ticks) << name;
  }
}

TEST_P(ThreeWays, looking_all_the_time_costs_a_hundred_times_as_much_as_being_woken) {
  const Row& busy = row("look all the time");
  EXPECT_GT(busy.share, 99);
  EXPECT_GT(busy.in_vain, 1000 * (keys + ticks));
  for (const std::string& way : suspending) {
    EXPECT_GT(busy.instructions, 100 * row(way).instructions) << way;
    EXPECT_LT(row(way).share, 1) << way;
  }
}

TEST_P(ThreeWays, who_is_woken_looks_only_when_there_is_something) {
  for (const std::string& way : suspending) {
    EXPECT_EQ(row(way).in_vain, 0) << way;
    EXPECT_LE(row(way).wake_ups, row(way).keys + row(way).ticks) << way;
  }
}

TEST_P(ThreeWays, a_blocking_read_is_one_call_and_an_event_queue_two) {
  const Row& blocking = row("A blocking read");
  EXPECT_EQ(blocking.calls, blocking.wake_ups);
  const Row& epoll = row("C epoll");
  constexpr double making_the_queue = 4;
  EXPECT_LE(epoll.calls, 2 * (epoll.keys + epoll.ticks) + making_the_queue);
}

TEST_P(ThreeWays, who_is_woken_comes_in_time_and_who_looks_now_and_then_comes_late) {
  for (const std::string& way : suspending) EXPECT_LE(row(way).longest_delay, GetParam().longest_delay) << way;
  const Row& patient = row("look every 5 ms");
  EXPECT_GT(patient.mean_delay, 1000);
  EXPECT_GT(patient.in_vain, 0);
  EXPECT_LT(patient.instructions * 100, row("look all the time").instructions);
}

INSTANTIATE_TEST_SUITE_P(Kernels, ThreeWays,
                         testing::Values(Kernel{"Pulse", on_pulse, 1010}, Kernel{"Linux", on_linux, 20}),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
