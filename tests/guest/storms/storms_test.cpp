// Guests that do their worst to the interrupt hardware: the run ends when its instructions are used up, equal each
// time, and the emulator's memory stays small, with all that watches attached.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "tests/process.hpp"

namespace {

using namespace vitrine::tests;
using nlohmann::json;

struct Storm {
  std::string guest, cpus, instructions;
  unsigned interrupts;  ///< that are entered at least
};
void PrintTo(const Storm& storm, std::ostream* out) { *out << storm.guest << " --cpus " << storm.cpus; }

const std::vector<Storm> storms = {{"broadcasts_64", "64", "300000", 20'000},
                                   {"storm_on_every_cpu_64", "16", "500000", 5'000},
                                   {"takes_nothing_64", "4", "1000000", 0},
                                   {"enables_nothing_64", "64", "5000000", 0}};

constexpr int budget_used_up = 80;
constexpr unsigned patience_seconds = 300;  // of a busy host
/// Of the process, with 64 MiB of guest memory and up to 64 CPUs.
constexpr long most_kilobytes = 1024 * 1024;

/// The largest one of the children that have ended.
long kilobytes_of_children() {
  rusage usage{};
  EXPECT_EQ(::getrusage(RUSAGE_CHILDREN, &usage), 0);
  return usage.ru_maxrss;
}

class Storms : public testing::TestWithParam<Storm> {};

TEST_P(Storms, end_with_their_budget_and_take_bounded_memory) {
  const Storm& storm = GetParam();
  const Folder folder;
  const auto go = [&](const std::string& name) {
    return run({VITRINE_COMMAND, "run", std::string(GUEST_FOLDER) + "/" + storm.guest + ".elf", "--serial", "none",
                "--debugcon", "stdio", "--memory", "64M", "--cpus", storm.cpus, "--max-instructions",
                storm.instructions, "--check", "--findings", folder.path / (name + ".findings"),
                "--report=" + std::string(folder.path / (name + ".json"))},
               {.seconds_at_most = patience_seconds});
  };
  const Result first = go("first");
  EXPECT_EQ(first.status, budget_used_up) << first.out << first.err;
  EXPECT_NE(first.out.find("all CPUs run"), std::string::npos) << first.out << first.err;
  const std::string report = contents_of(folder.path / "first.json");
  unsigned long entered = 0;
  for (const json& row : json::parse(report)["by_cpu"]) {
    for (const json& count : row["counts"]) entered += count.get<unsigned long>();
  }
  EXPECT_GE(entered, storm.interrupts);
  EXPECT_LT(kilobytes_of_children(), most_kilobytes);

  const Result second = go("second");
  EXPECT_EQ(first.out, second.out);
  EXPECT_EQ(report, contents_of(folder.path / "second.json"));
}

INSTANTIATE_TEST_SUITE_P(, Storms, testing::ValuesIn(storms), [](const auto& each) { return each.param.guest; });

}  // namespace
