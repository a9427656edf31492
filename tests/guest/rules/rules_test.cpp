// The sanitizer's rules on real kernels: ID-bad*.cpp gets exactly one finding, of the rule ID, in its own source file;
// ID-good*.cpp gets none. Both print the same on QEMU, where it is installed, so that they are kernels and not tricks.
//
// The first lines of a source may say more:
//   // qemu: hangs        it never ends, on Vitrine neither (status 80 or 83)
//   // qemu: resets       it triple-faults (status 81), or asks for a reset
//   // qemu: no, REASON   it is not run there
//   // time: 100ms        guest time at most (1s)
//   // cpus: 2            CPUs (1)
//   // keys: TEXT         typed as --keys; such a kernel is not run on QEMU
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

constexpr int passed = 2 * 0x10 + 1;       // the status of a kernel that wrote pass_value
constexpr unsigned patience_seconds = 60;  // of a host, for what never ends

std::vector<std::string> words_of(const std::string& text, char separator) {
  std::istringstream list(text);
  std::vector<std::string> words;
  for (std::string word; std::getline(list, word, separator);) words.push_back(word);
  return words;
}

/// What the name of an image says, and the first lines of its source.
struct RuleGuest {
  std::string name;    // "missing-eoi-bad_64"
  std::string rule;    // "missing-eoi"
  std::string source;  // "missing-eoi-bad.cpp"
  bool bad = false;
  std::string on_qemu, time = "1s", keys, cpus = "1";
};

RuleGuest guest_of(const std::string& name) {
  RuleGuest guest = {.name = name};
  guest.bad = name.find("-bad") != std::string::npos;
  guest.rule = name.substr(0, name.rfind(guest.bad ? "-bad" : "-good"));
  guest.source = name + ".cpp";
  if (!fs::exists(fs::path(SOURCE_FOLDER) / guest.source)) guest.source = name.substr(0, name.size() - 3) + ".cpp";
  std::ifstream file(fs::path(SOURCE_FOLDER) / guest.source);
  for (std::string line; std::getline(file, line) && line.starts_with("//");) {
    const auto value = [&](const std::string& key, std::string& into) {
      if (line.starts_with("// " + key + ": ")) into = line.substr(key.size() + 5);
    };
    value("qemu", guest.on_qemu);
    value("time", guest.time);
    value("keys", guest.keys);
    value("cpus", guest.cpus);
  }
  return guest;
}

std::string image(const RuleGuest& guest) { return std::string(GUEST_FOLDER) + "/" + guest.name + ".elf"; }

Result on_vitrine(const RuleGuest& guest, const std::vector<std::string>& more) {
  std::vector<std::string> words = {VITRINE_COMMAND, "run",    image(guest), "--serial", "none",
                                    "--debugcon",    "stdio",  "--max-time", guest.time, "--memory",
                                    "64M",           "--cpus", guest.cpus};
  if (!guest.keys.empty()) words.insert(words.end(), {"--keys", guest.keys});
  words.insert(words.end(), more.begin(), more.end());
  return run(words, {.seconds_at_most = patience_seconds});
}

void expect_its_end(const RuleGuest& guest, const Result& result) {
  if (guest.on_qemu == "hangs") {
    EXPECT_TRUE(result.status == 80 || result.status == 83) << result.status << "\n" << result.out << result.err;
  } else if (guest.on_qemu == "resets") {
    EXPECT_TRUE(result.status == 81 || result.status == 0) << result.status << "\n" << result.out << result.err;
  } else {
    EXPECT_EQ(result.status, passed) << result.out << result.err;
  }
  EXPECT_EQ(result.out.find("FAIL"), std::string::npos) << result.out;
}

/// Lines that may differ between machines start with "~", as in tests/guest/images.
std::string compared_lines(const std::string& text) {
  std::string kept;
  for (const std::string& line : words_of(text, '\n')) {
    if (!line.starts_with("~")) kept += line + "\n";
  }
  return kept;
}

void expect_findings(const RuleGuest& guest, const json& findings) {
  if (!guest.bad) {
    EXPECT_EQ(findings.size(), 0u) << findings.dump(2);
    return;
  }
  ASSERT_EQ(findings.size(), 1u) << findings.dump(2);
  const json& finding = findings[0];
  EXPECT_EQ(finding["rule"], guest.rule) << finding.dump(2);
  ASSERT_TRUE(finding["file"].is_string()) << "its address has no source line: " << finding.dump(2);
  EXPECT_EQ(fs::path(finding["file"].get<std::string>()).filename(), guest.source) << finding.dump(2);
}

class RuleGuests : public testing::TestWithParam<std::string> {};

TEST_P(RuleGuests, get_the_findings_that_their_names_say) {
  const RuleGuest guest = guest_of(GetParam());
  const Folder folder;
  const std::string file = folder.path / "findings.json";
  const std::string trace = folder.path / "trace";
  const Result result = on_vitrine(guest, {"--check", "--findings", file, "--trace", trace});
  expect_its_end(guest, result);
  const json live = json::parse(contents_of(file));
  expect_findings(guest, live["findings"]);

  // From the trace come the same, if the rule needs no more than that.
  const Result from_trace = run({VITRINE_COMMAND, "check", trace, "--symbols", image(guest), "--json"});
  EXPECT_EQ(from_trace.status, 0) << from_trace.err;
  const json later = json::parse(from_trace.out);
  const auto& need_live = later["need_live"];
  const bool possible = std::ranges::find(need_live, json(guest.rule)) == need_live.end();
  if (possible) {
    EXPECT_EQ(later["findings"], live["findings"]);
  } else {
    EXPECT_EQ(later["findings"].size(), 0u) << later["findings"].dump(2);
  }
}

TEST_P(RuleGuests, print_the_same_on_qemu) {
  const RuleGuest guest = guest_of(GetParam());
  if (guest.on_qemu.starts_with("no")) GTEST_SKIP() << guest.on_qemu;
  if (!guest.keys.empty()) GTEST_SKIP() << "it wants keys";
  const std::string ours = compared_lines(on_vitrine(guest, {}).out);
  // What hangs prints nothing more once it has printed what it does on Vitrine, so that is all to wait for.
  How how = {.seconds_at_most = patience_seconds};
  if (guest.on_qemu == "hangs") {
    how.enough = [&](const std::string& text) { return compared_lines(text).size() >= ours.size(); };
  }
  const std::string qemu = guest.name.ends_with("_64") ? "qemu-system-x86_64" : "qemu-system-i386";
  const std::vector<std::string> words = {
      qemu,         "-accel",      "tcg",       "-cpu",  "max",     "-m",
      "64",         "-nodefaults", "-display",  "none",  "-serial", "null",
      "-serial",    "null",        "-debugcon", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
      "-no-reboot", "-kernel",     image(guest)};
  const int expected = guest.on_qemu == "hangs" ? -1 : guest.on_qemu == "resets" ? 0 : passed;
  // QEMU's timers follow the host's clock: on a busy host one of these kernels may find its time up too soon.
  constexpr int tries = 3;
  Result result;
  for (int i = 0; i < tries; ++i) {
    result = run(words, how);
    if (result.status == expected && compared_lines(result.out) == ours) break;
  }
  if (result.status == status_no_program) GTEST_SKIP() << qemu << " is not installed (Debian: qemu-system-x86)";
  EXPECT_EQ(compared_lines(result.out), ours);
  EXPECT_EQ(result.status, expected) << result.out;
}

std::vector<std::string> guest_names() { return words_of(GUEST_NAMES, ','); }

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RuleGuests);
INSTANTIATE_TEST_SUITE_P(Kernels, RuleGuests, testing::ValuesIn(guest_names()), [](const auto& each) {
  std::string name = each.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(Rules, each_has_a_bad_and_a_good_kernel_and_a_page) {
  const Result list = run({VITRINE_COMMAND, "check", "--list"});
  ASSERT_EQ(list.status, 0) << list.err;
  std::vector<std::string> rules;
  for (const std::string& line : words_of(list.out, '\n')) rules.push_back(line.substr(0, line.find(' ')));
  const std::vector<std::string> names = guest_names();
  const std::string table = contents_of(fs::path(PAGES_FOLDER) / "README.md");
  for (const std::string& rule : rules) {
    EXPECT_NE(table.find("| [" + rule + "](" + rule + ".md)"), std::string::npos) << rule << " is not in the table";
    for (const std::string kind : {"-bad", "-good"}) {
      EXPECT_TRUE(std::ranges::any_of(names, [&](const std::string& name) { return name.starts_with(rule + kind); }))
          << rule << " has no tests/guest/rules/" << rule << kind << ".cpp";
    }
    EXPECT_TRUE(fs::exists(fs::path(PAGES_FOLDER) / (rule + ".md"))) << rule << " has no docs/rules/" << rule << ".md";
  }
  for (const std::string& name : names) {
    EXPECT_TRUE(std::ranges::find(rules, guest_of(name).rule) != rules.end()) << name << ": there is no such rule";
  }
}

// --- the options, on a kernel that never ends its timer's interrupt -------------------------------------------------

class CheckOptions : public testing::Test {
 protected:
  Result run_bad(const std::vector<std::string>& more) const { return on_vitrine(guest_, more); }

  RuleGuest guest_ = guest_of("missing-eoi-bad_64");
  Folder folder_;
};

TEST_F(CheckOptions, findings_leave_the_status_alone_unless_they_are_fatal) {
  EXPECT_EQ(run_bad({"--check"}).status, run_bad({}).status);
  const Result fatal = run_bad({"--check-fatal"});
  EXPECT_EQ(fatal.status, 82);
  EXPECT_NE(fatal.err.find("error[missing-eoi]"), std::string::npos) << fatal.err;
  EXPECT_NE(fatal.err.find("docs/rules/missing-eoi.md"), std::string::npos) << fatal.err;
}

TEST_F(CheckOptions, rules_that_are_not_selected_find_nothing) {
  const Result result = run_bad({"--check=all,-missing-eoi", "--check-fatal"});
  EXPECT_NE(result.status, 82) << result.err;
  EXPECT_NE(result.err.find("nothing found"), std::string::npos) << result.err;
}

TEST_F(CheckOptions, suppressed_findings_are_counted_and_never_fatal) {
  const std::string file = folder_.file("list", "missing-eoi:*\n*:no_such_function\n");
  const Result result = run_bad({"--suppress", file, "--check-fatal"});
  EXPECT_NE(result.status, 82) << result.err;
  EXPECT_NE(result.err.find("Suppressed: 1 finding."), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("covered nothing: " + file + ":2: *:no_such_function"), std::string::npos) << result.err;
}

TEST_F(CheckOptions, json_is_alone_on_standard_output) {
  const Result result = run({VITRINE_COMMAND, "run", image(guest_), "--max-time", guest_.time, "--check", "--json"},
                            {.seconds_at_most = patience_seconds});
  const json findings = json::parse(result.out, nullptr, false);
  ASSERT_TRUE(findings.is_object()) << result.out;
  EXPECT_EQ(findings["findings"].size(), 1u);
  EXPECT_NE(result.err.find("vitrine: "), std::string::npos) << "how the run ended is for people: " << result.err;
}

TEST_F(CheckOptions, sarif_names_the_source_line) {
  const std::string file = folder_.path / "findings.sarif";
  run_bad({"--sarif", file});
  const json sarif = json::parse(contents_of(file));
  ASSERT_EQ(sarif["runs"][0]["results"].size(), 1u) << sarif.dump(2);
  const json& result = sarif["runs"][0]["results"][0];
  EXPECT_EQ(result["ruleId"], "missing-eoi");
  const json& place = result["locations"][0]["physicalLocation"];
  EXPECT_TRUE(place["artifactLocation"]["uri"].get<std::string>().ends_with("/" + guest_.source)) << place.dump(2);
  EXPECT_GE(place["region"]["startLine"].get<int>(), 1);
}

TEST_F(CheckOptions, a_trace_is_judged_like_the_run_and_a_damaged_one_as_far_as_it_goes) {
  const fs::path trace = folder_.path / "trace";
  run_bad({"--trace", trace});
  EXPECT_EQ(run({VITRINE_COMMAND, "check", trace}).status, 0);
  const Result fatal = run({VITRINE_COMMAND, "check", trace, "--check-fatal"});
  EXPECT_EQ(fatal.status, 82) << fatal.err;
  EXPECT_NE(fatal.out.find("error[missing-eoi]"), std::string::npos) << fatal.out;

  fs::resize_file(trace, fs::file_size(trace) - 3);
  const Result damaged = run({VITRINE_COMMAND, "check", trace, "--check-fatal"});
  EXPECT_EQ(damaged.status, 66);
  EXPECT_NE(damaged.out.find("error[missing-eoi]"), std::string::npos) << damaged.out;
  EXPECT_NE(damaged.out.find("damaged trace"), std::string::npos) << damaged.out;
  EXPECT_NE(damaged.err.find("is not whole"), std::string::npos) << damaged.err;
}

}  // namespace
