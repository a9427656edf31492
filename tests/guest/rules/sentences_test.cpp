// The sentences that a kernel author is waiting for: the cause, with file and line.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/process.hpp"

namespace {

namespace fs = std::filesystem;
using namespace vitrine::tests;
using nlohmann::json;

/// "NAME.cpp:12": the line of a source that holds this text.
std::string line_with(const std::string& source, const std::string& text) {
  std::istringstream lines(contents_of(fs::path(SOURCE_FOLDER) / source));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.find(text) != std::string::npos) return source + ":" + std::to_string(number);
  }
  return source + " has no " + text;
}

struct Expected {
  std::string image, source;
  std::string culprit;               // in the source, on the line that is to blame
  std::vector<std::string> phrases;  // of the sentence
};

class Sentences : public testing::TestWithParam<Expected> {};

TEST_P(Sentences, name_cause_file_and_line) {
  const Expected& expected = GetParam();
  const Folder folder;
  const std::string file = folder.path / "findings.json";
  const Result result = run({VITRINE_COMMAND, "run", std::string(GUEST_FOLDER) + "/" + expected.image + ".elf",
                             "--serial", "none", "--memory", "64M", "--max-time", "1s", "--findings", file});
  const json findings = json::parse(contents_of(file))["findings"];
  ASSERT_EQ(findings.size(), 1u) << result.err;
  const json& finding = findings[0];
  const std::string place = fs::path(finding["file"].get<std::string>()).filename().string() + ":" +
                            std::to_string(finding["file_line"].get<int>());
  EXPECT_EQ(place, line_with(expected.source, expected.culprit)) << finding.dump(2);
  const std::string sentence = finding["sentence"];
  EXPECT_NE(sentence.find(expected.source + ":"), std::string::npos) << sentence;
  for (const std::string& phrase : expected.phrases) EXPECT_NE(sentence.find(phrase), std::string::npos) << sentence;
}

std::vector<Expected> expected() {
  std::vector<Expected> all;
  for (const std::string width : {"_32", "_64"}) {
    const std::string register_name = width == "_32" ? "EBX" : "RBX";
    all.push_back({.image = "clobbered-register-bad" + width,
                   .source = "clobbered-register-bad.cpp",
                   .culprit = "incl %ebx",
                   .phrases = {"changes " + register_name + " in the handler of vector 0x24", "serial_entry",
                               "nobody restores it", "had 0x1234 there and gets 0x1 back"}});
    all.push_back({.image = "frame-layout-bad" + width,
                   .source = "frame-layout-bad.cpp",
                   .culprit = "the error code is still on the stack",
                   .phrases = {"page_fault", "returns with the error code still on the stack",
                               "IRET takes the error code 0x2 for the return address"}});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Kernels, Sentences, testing::ValuesIn(expected()), [](const auto& each) {
  std::string name = each.param.image;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
