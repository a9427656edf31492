#include "observe/check/check_output.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace vitrine {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Names final : public Symboliser {
 public:
  [[nodiscard]] std::string describe(u64 address) const override {
    return address == 0x1010 ? "keyboard_stub+0x10 (kbd.c:34)" : "";
  }
  [[nodiscard]] std::optional<SourcePlace> place(u64 address) const override {
    return address == 0x1010 ? std::optional(SourcePlace{"/src/my kernel/kbd.c", 34}) : std::nullopt;
  }
};

CheckResult example() {
  CheckResult result;
  result.header.guest = "kernel.elf";
  result.header.sources = {"i8042"};
  result.checked = {"first", "second"};
  Finding finding = {.rule = "second",
                     .severity = FindingSeverity::Error,
                     .time = 1'500'000'000,
                     .address = 0x1010,
                     .line = 1,
                     .vector = 0x21,
                     .id = 17,
                     .sentence = "The handler returned at " + address_mark(0x1010) + " without an EOI.",
                     .evidence = {"It was entered at " + address_mark(0x2000) + "."},
                     .count = 3};
  finding.life = {.id = 17,
                  .records = {{.time = 1'000'000'000, .id = 17, .kind = RecordKind::Raised, .pin = 1},
                              {.time = 1'100'000'000, .id = 17, .address = 0x1010, .kind = RecordKind::Returned}}};
  result.findings = {finding, {.rule = "first", .severity = FindingSeverity::Note, .address = ~u64{0}}};
  return result;
}

TEST(ResolveMarks, puts_names_in_place_of_addresses) {
  const Names names;
  EXPECT_EQ(resolve_marks("at @{0x1010}, not @{0x1}; @{x} @{0x @", &names),
            "at keyboard_stub+0x10 (kbd.c:34), not 0x1; @{x} @{0x @");
  EXPECT_EQ(resolve_marks("at " + address_mark(~u64{0}), nullptr), "at 0xffffffffffffffff");
}

TEST(CheckText, says_rule_place_sentence_evidence_life_and_page) {
  const Names names;
  const std::string text = check_text(example(), &names);
  EXPECT_THAT(text, AllOf(HasSubstr("Interrupt sanitizer: 1 error, 1 note (2 rules)."), HasSubstr("error[second]"),
                          HasSubstr("--> 0x1010 keyboard_stub+0x10 (kbd.c:34), IRQ 1, vector 0x21"),
                          HasSubstr("3 times"), HasSubstr("The handler returned at keyboard_stub+0x10 (kbd.c:34)"),
                          HasSubstr("- It was entered at 0x2000."), HasSubstr("docs/rules/second.md")));
  EXPECT_THAT(text, AllOf(HasSubstr("#17"), Not(HasSubstr("\x1b"))));
  EXPECT_THAT(check_text(example(), &names, TextColour::Ansi), HasSubstr("\x1b[1;31merror[second]\x1b[0m"));
}

TEST(CheckText, nothing_found_is_one_line) {
  CheckResult result;
  result.checked = {"first"};
  EXPECT_EQ(check_text(result, nullptr), "Interrupt sanitizer: nothing found (1 rule).\n");
}

TEST(CheckText, lines_are_at_most_100_columns_wide) {
  CheckResult result;
  result.findings = {{.rule = "first", .sentence = std::string(30, 'w')}};
  for (int i = 0; i < 40; ++i) result.findings[0].sentence += " " + std::string(static_cast<std::size_t>(i), 'w');
  const std::string text = check_text(result, nullptr);
  for (std::size_t begin = 0; begin < text.size(); begin = text.find('\n', begin) + 1) {
    EXPECT_LE(text.find('\n', begin) - begin, 100u);
  }
}

TEST(CheckJson, has_every_finding_with_its_place_and_life) {
  const Names names;
  const json parsed = json::parse(check_json(example(), &names));
  EXPECT_EQ(parsed["errors"], 1);
  const json& finding = parsed["findings"][0];
  EXPECT_EQ(finding["rule"], "second");
  EXPECT_EQ(finding["severity"], "error");
  EXPECT_EQ(finding["address"], "0x1010");
  EXPECT_EQ(finding["file"], "/src/my kernel/kbd.c");
  EXPECT_EQ(finding["file_line"], 34);
  EXPECT_EQ(finding["irq"], 1);
  EXPECT_EQ(finding["count"], 3);
  EXPECT_EQ(finding["life"]["id"], 17);
  EXPECT_EQ(finding["life"]["steps"].size(), 2u);
  EXPECT_TRUE(parsed["findings"][1]["life"].is_null());
  EXPECT_TRUE(parsed["findings"][1]["vector"].is_null());
}

/// What the standard requires of the objects that we write: SARIF 2.1.0, 3.13 to 3.38.
TEST(CheckSarif, has_what_the_standard_requires) {
  const Names names;
  const json log = json::parse(check_sarif(example(), &names, "1.2.3"));
  EXPECT_EQ(log["version"], "2.1.0");
  EXPECT_TRUE(log["$schema"].is_string());
  ASSERT_TRUE(log["runs"].is_array());
  ASSERT_EQ(log["runs"].size(), 1u);
  const json& run = log["runs"][0];
  ASSERT_TRUE(run["tool"].is_object());
  const json& driver = run["tool"]["driver"];
  EXPECT_EQ(driver["name"], "Vitrine");
  EXPECT_EQ(driver["semanticVersion"], "1.2.3");
  ASSERT_TRUE(driver["rules"].is_array());
  for (const json& rule : driver["rules"]) EXPECT_TRUE(rule["id"].is_string());
  ASSERT_TRUE(run["invocations"].is_array());
  EXPECT_TRUE(run["invocations"][0]["executionSuccessful"].is_boolean());

  ASSERT_EQ(run["results"].size(), 2u);
  for (const json& result : run["results"]) {
    const std::size_t index = result["ruleIndex"];
    EXPECT_EQ(driver["rules"][index]["id"], result["ruleId"]);
    EXPECT_THAT((std::vector<std::string>{"none", "note", "warning", "error"}), testing::Contains(result["level"]));
    EXPECT_TRUE(result["message"]["text"].is_string());
    ASSERT_TRUE(result["locations"].is_array());
    EXPECT_TRUE(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].is_string());
    EXPECT_TRUE(result["locations"][0]["logicalLocations"].is_array());
    EXPECT_GE(result["occurrenceCount"].get<int>(), 1);
  }
}

TEST(CheckSarif, files_outside_of_the_base_have_absolute_uris_and_no_base) {
  const Names names;
  const json run = json::parse(check_sarif(example(), &names, "1.2.3", "/home/me"))["runs"][0];
  const json& place = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
  EXPECT_EQ(place["uri"], "file:///src/my%20kernel/kbd.c");
  EXPECT_FALSE(place.contains("uriBaseId"));
}

TEST(CheckSarif, locations_are_source_lines_where_they_are_known) {
  const Names names;
  const json run = json::parse(check_sarif(example(), &names, "1.2.3", "/src"))["runs"][0];
  EXPECT_EQ(run["originalUriBaseIds"]["SRCROOT"]["uri"], "file:///src/");
  const json& known = run["results"][0]["locations"][0]["physicalLocation"];
  EXPECT_EQ(known["artifactLocation"]["uri"], "my%20kernel/kbd.c");
  EXPECT_EQ(known["artifactLocation"]["uriBaseId"], "SRCROOT");
  EXPECT_EQ(known["region"]["startLine"], 34);
  EXPECT_EQ(known["address"]["absoluteAddress"], 0x1010);
  const json& unknown = run["results"][1]["locations"][0]["physicalLocation"];
  EXPECT_EQ(unknown["artifactLocation"]["uri"], "kernel.elf");
  EXPECT_EQ(unknown["artifactLocation"]["uriBaseId"], "SRCROOT");
  EXPECT_FALSE(unknown.contains("region"));

  const json& flow = run["results"][0]["codeFlows"][0]["threadFlows"][0]["locations"];
  ASSERT_EQ(flow.size(), 2u);
  for (const json& step : flow) EXPECT_TRUE(step["location"]["message"]["text"].is_string());
}

}  // namespace
}  // namespace vitrine
