// The same programs on Debian's Linux and on Pulse, on the same machine: what they print must be the same.
//
// One program, not a ctest test per case: all programs run in one boot of each kernel (user/abi/init).
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/process.hpp"

namespace {

using vitrine::tests::run;

using Lines = std::vector<std::string>;

const std::string linux_kernel = GUESTS_FOLDER "/linux/vmlinuz";
const std::string initramfs = ABI_INITRAMFS;

/// What each program printed. Only marked lines count; what the mark stands behind is an echo.
std::map<std::string, Lines> by_program(const std::string& text) {
  std::map<std::string, Lines> programs;
  std::istringstream stream(text);
  std::string program;
  for (std::string line; std::getline(stream, line);) {
    while (!line.empty() && line.back() == '\r') line.pop_back();
    const std::size_t mark = line.find("=> ");
    if (mark == std::string::npos) continue;
    line.erase(0, mark + 3);
    if (line.starts_with("== ") && line.find(' ', 3) == std::string::npos) program = line.substr(3);
    programs[program].push_back(line);
  }
  return programs;
}

struct Boot {
  int status = -1;
  std::string out;
  std::map<std::string, Lines> programs;
};

Boot boot(const std::string& kernel, const std::string& parameters, const std::string& cpus = "1") {
  const auto result = run({VITRINE_COMMAND, "run", kernel, "--initrd", initramfs, "--append", parameters, "--max-time",
                           "120s", "--cpus", cpus});
  return {result.status, result.out, by_program(result.out)};
}

const Boot& on_linux() {
  static const Boot result = boot(linux_kernel, "console=ttyS0 quiet loglevel=0");
  return result;
}
const Boot& on_pulse() {
  static const Boot result = boot(PULSE_KERNEL, "loglevel=3");
  return result;
}

/// Where threads of a process run at once, and race for the kernel; and the CPU that looks after timers sleeps.
const Boot& on_four_cpus() {
  static const Boot result = boot(PULSE_KERNEL, "loglevel=3 routing=ioapic tickless", "4");
  return result;
}

class Abi : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    for (const std::string& needed : {linux_kernel, initramfs}) {
      if (!std::filesystem::exists(needed)) GTEST_SKIP() << needed << " is not there: `make guests` gets it";
    }
  }
};

void expect_the_same(const std::string& program, const Boot& pulse) {
  const auto expected = on_linux().programs.find(program);
  ASSERT_NE(expected, on_linux().programs.end()) << "did not run on Linux:\n" << on_linux().out;
  EXPECT_GT(expected->second.size(), 20U) << "a program that ended early";
  const auto found = pulse.programs.find(program);
  ASSERT_NE(found, pulse.programs.end()) << "did not run on Pulse:\n" << pulse.out;
  std::string differences;
  const std::size_t most = std::max(expected->second.size(), found->second.size());
  for (std::size_t i = 0; i < most; ++i) {
    const std::string on_one = i < expected->second.size() ? expected->second[i] : "(nothing)";
    const std::string on_other = i < found->second.size() ? found->second[i] : "(nothing)";
    if (on_one != on_other) differences += "  Linux: " + on_one + "\n  Pulse: " + on_other + "\n";
  }
  EXPECT_EQ(differences, "");
}

TEST_P(Abi, prints_the_same_on_pulse_as_on_linux) { expect_the_same(GetParam(), on_pulse()); }

TEST_F(Abi, four_cpus_change_nothing) {
  for (const char* const program :
       {"processes", "signals", "signal_frames", "threads", "waiting", "epoll", "events", "hostile"}) {
    SCOPED_TRACE(program);
    expect_the_same(program, on_four_cpus());
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, Abi,
                         testing::Values("files", "pipes", "fifos", "processes", "signals", "signal_frames", "memory",
                                         "threads", "waiting", "epoll", "events", "terminal", "bad_arguments",
                                         "hostile", "identity", "limits", "clocks", "tools"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST_F(Abi, both_kernels_power_off_when_all_is_done) {
  for (const Boot* one : {&on_linux(), &on_pulse()}) {
    EXPECT_EQ(one->status, 0);
    EXPECT_NE(one->out.find("=> == all done"), std::string::npos) << one->out;
  }
}

}  // namespace
