// conformance SUITE PATH [--qemu] [--board NAME] [TEST...]: runs a suite that others wrote. Status: 0 all that must
// pass has passed, 1 something has not, 64 usage, 66 PATH holds no such suite.
#include <cstdio>
#include <string_view>

#include "tests/conformance/suites.hpp"

namespace {

using namespace vitrine::conformance;

struct Suite {
  std::string_view name;
  Verdict (*run)(const Request& request);
};
constexpr Suite suites[] = {
    {"kvm-unit-tests", run_kvm_unit_tests},
    {"test386", run_test386},
    {"z386", run_z386},
    {"singlestep", run_single_step},
};

int usage() {
  std::fputs(
      "Usage: conformance kvm-unit-tests|test386|z386|singlestep PATH [--qemu] [--board NAME] [TEST...]\n"
      "PATH is a built checkout of kvm-unit-tests, a test386.bin, a folder of z386's tests as .bin files, or one of\n"
      ".MOO.gz files. --qemu runs QEMU's TCG beside it, for the first two.\n"
      "--board q35 runs kvm-unit-tests there instead of on pc.\n",
      stderr);
  return 64;
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) return usage();
  Request request{.path = words[2], .vitrine = VITRINE_COMMAND};
  for (int i = 3; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--qemu") {
      request.qemu = true;
    } else if (word == "--board" && i + 1 < count) {
      request.board = words[++i];
    } else if (word.starts_with("-")) {
      return usage();
    } else {
      request.only.push_back(word);
    }
  }
  for (const Suite& suite : suites) {
    if (suite.name != words[1]) continue;
    switch (suite.run(request)) {
      case Verdict::Passed:
        return 0;
      case Verdict::Failed:
        return 1;
      case Verdict::CannotRun:
        return 66;
    }
  }
  return usage();
}
