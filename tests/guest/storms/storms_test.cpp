// Guests that do their worst to the interrupt hardware: the run ends when its instructions are used up, equal each
// time, and the emulator's memory stays small, with all that watches attached.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
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
  unsigned interrupts;                 ///< that are entered at least
  std::vector<std::string> sources{};  ///< each raises something; a local APIC's: with its number
};
void PrintTo(const Storm& storm, std::ostream* out) { *out << storm.guest << " --cpus " << storm.cpus; }

const std::vector<Storm> storms = {
    // Ten records to an instruction, as each broadcast is 64 requests: this is some 20 broadcasts from each CPU, of
    // which each CPU enters a thousand. The machine alone takes a quarter of the time; the rest goes to who reads the
    // records.
    {"broadcasts_64", "64", "800000", 60'000, {"lapic0", "lapic31", "lapic63"}},
    {"storm_on_every_cpu_64", "16", "500000", 5'000, {"ioapic0", "interrupt-tester", "lapic0", "lapic15"}},
    {"takes_nothing_64",
     "4",
     "1000000",
     0,
     {"pit", "rtc", "com1", "com2", "hpet", "interrupt-tester", "lapic0", "lapic1", "lapic2", "lapic3"}},
    {"enables_nothing_64", "64", "5000000", 0}};

constexpr int budget_used_up = 80;
constexpr unsigned patience_seconds = 300;  // of a busy host
/// Of the process, with 64 MiB of guest memory and up to 64 CPUs.
constexpr long most_kilobytes = 192 * 1024;

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
  for (const std::string& source : storm.sources) {
    unsigned long raised = 0;
    for (const json& row : json::parse(report)["lines"]) {
      if (row["source"] == source) raised += row["raised"].get<unsigned long>();
    }
    EXPECT_GT(raised, 0u) << source;
  }
  EXPECT_LT(kilobytes_of_children(), most_kilobytes);

  const Result second = go("second");
  EXPECT_EQ(first.out, second.out);
  EXPECT_EQ(report, contents_of(folder.path / "second.json"));
}

// 10 ms of their time are many minutes of ours.
TEST(StormsOnEachCpu, end_at_a_signal_with_their_report) {
  const Result result = run(
      {"timeout", "--preserve-status", "3", VITRINE_COMMAND, "run", std::string(GUEST_FOLDER) + "/broadcasts_64.elf",
       "--serial", "none", "--memory", "64M", "--cpus", "64", "--check", "--report"},
      {.seconds_at_most = patience_seconds});
  EXPECT_EQ(result.status, 128 + SIGTERM);
  EXPECT_NE(result.err.find("Stopped by SIGTERM"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("Interrupt report"), std::string::npos) << result.err;
}

INSTANTIATE_TEST_SUITE_P(, Storms, testing::ValuesIn(storms), [](const auto& each) { return each.param.guest; });

}  // namespace
