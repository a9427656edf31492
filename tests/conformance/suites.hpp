// The suites of others that judge our CPU. Each takes the path of what it needs, prints its table as Markdown on
// standard output, and says whether all that must pass has passed. docs/conformance.md has the commands and results.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vitrine::conformance {

enum class Verdict { Passed, Failed, CannotRun };

struct Request {
  std::filesystem::path path;  ///< of the suite: a folder or an image
  std::filesystem::path vitrine;
  std::string board = "pc";       ///< kvm-unit-tests: `vitrine run --board`
  bool qemu = false;              ///< run QEMU's TCG beside it, where the suite can
  std::vector<std::string> only;  ///< names of tests; empty: all
};

/// A built checkout of kvm-unit-tests, of either width.
Verdict run_kvm_unit_tests(const Request& request);
/// The ROM image of test386.asm.
Verdict run_test386(const Request& request);
/// A folder with assembled tests of z386.
Verdict run_z386(const Request& request);
/// A folder with .MOO.gz files and their metadata.json, of an 8086 or an 80286.
Verdict run_single_step(const Request& request);

}  // namespace vitrine::conformance
