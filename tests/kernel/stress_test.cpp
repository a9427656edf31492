// Pulse under load (user/stress): everything at once with self-checks, and random system calls.
//
// At length, by hand: build/vitrine run build/pulse.elf --initrd build/user/abi.cpio \
//     --append "init=/stress/init loglevel=3 stress=6500" (or "fuzz=2900 seed=7"); docs/pulse.md has it with all
//     devices
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/process.hpp"

namespace {

using vitrine::tests::Result;
using vitrine::tests::run;

const std::string initramfs = ABI_INITRAMFS;

class Load : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(initramfs)) GTEST_SKIP() << initramfs << " is not there: `make guests` gets it";
  }
};

Result boot(const std::string& parameters, const std::vector<std::string>& options = {}) {
  std::vector<std::string> words = {VITRINE_COMMAND,
                                    "run",
                                    PULSE_KERNEL,
                                    "--initrd",
                                    initramfs,
                                    "--append",
                                    "init=/stress/init loglevel=3 " + parameters,
                                    "--max-time",
                                    "60s"};
  words.insert(words.end(), options.begin(), options.end());
  return run(words);
}

TEST_F(Load, everything_at_once_loses_no_wake_up_and_no_memory) {
  const Result result = boot("stress=20");
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_NE(result.out.find("=> stress ended with 0"), std::string::npos) << result.out;
}

TEST_F(Load, twice_the_same_load_is_twice_the_same_run) {
  const Result first = boot("stress=10");
  const Result second = boot("stress=10");
  EXPECT_EQ(first.out, second.out);
  EXPECT_EQ(first.err, second.err);  // guest time and instructions
}

TEST_F(Load, random_system_calls_never_end_the_kernel) {
  for (const char* const seed : {"1", "2", "3"}) {
    const Result result = boot(std::string("fuzz=40 seed=") + seed);
    EXPECT_EQ(result.status, 0) << seed << result.out << result.err;
    EXPECT_NE(result.out.find("=> fuzz ended with 0"), std::string::npos) << seed << result.out;
  }
}

TEST_F(Load, the_sanitizer_has_nothing_to_say_whatever_the_routing_and_scheduling) {
  struct Mode {
    const char *cpus, *parameters;
  };
  constexpr Mode modes[] = {
      {"1", "routing=8259"},
      {"1", "routing=8259 scheduling=cooperative tickless"},
      {"1", "routing=ioapic tickless"},
      {"1", "routing=msi scheduling=cooperative"},
      {"2", "routing=ioapic"},
      {"2", "routing=ioapic scheduling=cooperative tickless"},
      {"2", "routing=msi tickless"},
      {"4", "routing=msi scheduling=cooperative"},
      {"4", "routing=msi x2apic"},
  };
  for (const Mode& mode : modes) {
    const Result result = boot(std::string("stress=2 ") + mode.parameters, {"--cpus", mode.cpus, "--check-fatal"});
    EXPECT_EQ(result.status, 0) << mode.cpus << " CPUs, " << mode.parameters << "\n" << result.out << result.err;
    EXPECT_NE(result.out.find("=> stress ended with 0"), std::string::npos) << result.out;
  }
}

TEST_F(Load, a_fork_bomb_ends_with_eagain_and_the_system_lives) {
  const Result result = boot("bomb");
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_NE(result.out.find("=> bomb ended with 0"), std::string::npos) << result.out;
  std::size_t rounds = 0;
  for (std::size_t at = 0; (at = result.out.find("fork works again: 1", at)) != std::string::npos; ++at) ++rounds;
  EXPECT_EQ(rounds, 3U) << result.out;
  EXPECT_NE(result.out.find("processes that got EAGAIN: 100"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("fork is refused here too: EAGAIN"), std::string::npos) << result.out;
}

}  // namespace
