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

Boot boot(const std::string& kernel, const std::string& parameters) {
  const auto result =
      run({VITRINE_COMMAND, "run", kernel, "--initrd", initramfs, "--append", parameters, "--max-time", "120s"});
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

class Abi : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    for (const std::string& needed : {linux_kernel, initramfs}) {
      if (!std::filesystem::exists(needed)) GTEST_SKIP() << needed << " is not there: `make guests` gets it";
    }
  }
};

TEST_P(Abi, prints_the_same_on_pulse_as_on_linux) {
  const auto expected = on_linux().programs.find(GetParam());
  ASSERT_NE(expected, on_linux().programs.end()) << "did not run on Linux:\n" << on_linux().out;
  EXPECT_GT(expected->second.size(), 20U) << "a program that ended early";
  const auto found = on_pulse().programs.find(GetParam());
  ASSERT_NE(found, on_pulse().programs.end()) << "did not run on Pulse:\n" << on_pulse().out;
  std::string differences;
  const std::size_t most = std::max(expected->second.size(), found->second.size());
  for (std::size_t i = 0; i < most; ++i) {
    const std::string on_one = i < expected->second.size() ? expected->second[i] : "(nothing)";
    const std::string on_other = i < found->second.size() ? found->second[i] : "(nothing)";
    if (on_one != on_other) differences += "  Linux: " + on_one + "\n  Pulse: " + on_other + "\n";
  }
  EXPECT_EQ(differences, "");
}

INSTANTIATE_TEST_SUITE_P(Programs, Abi,
                         testing::Values("files", "pipes", "processes", "signals", "memory", "threads", "waiting",
                                         "epoll", "events", "terminal", "bad_arguments", "hostile", "tools"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST_F(Abi, both_kernels_power_off_when_all_is_done) {
  for (const Boot* one : {&on_linux(), &on_pulse()}) {
    EXPECT_EQ(one->status, 0);
    EXPECT_NE(one->out.find("=> == all done"), std::string::npos) << one->out;
  }
}

}  // namespace
