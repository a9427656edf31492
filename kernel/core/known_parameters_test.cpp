#include "kernel/core/known_parameters.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace pulse;

struct Collected final : ParameterComplaints {
  void add(std::string_view word, std::string_view wanted) override {
    lines.push_back(std::string(word) + ": " + std::string(wanted));
  }
  std::vector<std::string> lines;
};

std::vector<std::string> complaints_about(std::string_view line) {
  Collected collected;
  check_parameters(Parameters(line), collected);
  return collected.lines;
}

TEST(KnownParameters, nothing_is_said_of_right_ones) {
  EXPECT_EQ(complaints_about("init=/bin/sh console=tty0 console=ttyS0 hz=100 polled=serial,keyboard tickless no-remap "
                             "routing=8259 scheduling=cooperative cpus=4 disk=pio loglevel=7 demonstrate=spinners"),
            std::vector<std::string>{});
  EXPECT_EQ(complaints_about(""), std::vector<std::string>{});
}

struct Row {
  const char* word;
  const char* wanted;
};

TEST(KnownParameters, each_wrong_one_is_told_with_what_was_wanted) {
  for (const Row& row :
       {Row{"routing=bogus", "routing= and one of 8259,ioapic,msi"},
        Row{"scheduling=coop", "scheduling= and one of cooperative,preemptive"},
        Row{"polled=keybord", "polled= and some of "}, Row{"hz=abc", "hz= and a number from 19 to 10000"},
        Row{"hz=18", "hz= and a number"}, Row{"hz=10001", "hz= and a number"}, Row{"hz", "hz= and a number"},
        Row{"hz=99999999999999999999999999999999999", "hz= and a number"},
        Row{"tickless=1", "tickless, without a value"}, Row{"init=", "init= and a value"}, Row{"quite", ""},
        Row{"Routing=8259", ""}, Row{"=", ""}}) {
    const auto lines = complaints_about(std::string("init=/a ") + row.word + " tickless");
    ASSERT_EQ(lines.size(), 1U) << row.word;
    EXPECT_TRUE(lines[0].starts_with(std::string(row.word) + ": " + row.wanted)) << lines[0];
  }
}

}  // namespace
