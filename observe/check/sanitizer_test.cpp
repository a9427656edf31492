#include "observe/check/sanitizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "observe/check/selection.hpp"

namespace vitrine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Record record(RecordKind kind, u64 time, u64 address = 0, u64 id = 0) {
  return {.time = time, .instructions = time, .id = id, .address = address, .kind = kind};
}

/// Reports each HLT: at its address, with the severity in the record's `detail`.
class HaltRule final : public Rule {
 public:
  using Rule::Rule;
  void consume(const Record& halt) override {
    ++consumed;
    context_.findings.report({.rule = "halt",
                              .severity = static_cast<FindingSeverity>(halt.detail),
                              .address = halt.address,
                              .id = halt.id,
                              .sentence = "It halts."});
    context_.findings.report({.rule = "second", .address = halt.address});
  }
  [[nodiscard]] RecordKinds record_kinds() const override { return record_kinds_of(RecordKind::Halted); }
  static inline int consumed = 0;
};

class DeafRule final : public Rule {
 public:
  using Rule::Rule;
  void finish(const RunEnd& end) override {
    context_.findings.report({.rule = "deaf", .time = end.time, .sentence = "It never listened."});
  }
};

template <class Kind>
std::unique_ptr<Rule> make(const RuleContext& context) {
  return std::make_unique<Kind>(context);
}

const std::vector<RuleMaker>& makers() {
  static const std::vector<RuleMaker> list = {
      {.rules = {{.id = "halt", .title = "it halts"}, {.id = "second", .title = "the same class"}},
       .make = make<HaltRule>},
      {.rules = {{.id = "deaf", .title = "hears nothing"}}, .make = make<DeafRule>},
      {.rules = {{.id = "live", .title = "needs more", .needs_live = true}}, .make = make<DeafRule>},
  };
  return list;
}

TEST(Sanitizer, keeps_one_finding_for_each_place_and_counts) {
  Sanitizer check({}, {.rules = {"halt"}}, makers());
  check.consume(std::vector{record(RecordKind::Halted, 10, 0x100), record(RecordKind::Halted, 20, 0x200),
                            record(RecordKind::Halted, 30, 0x100)});
  const CheckResult result = check.finish({});
  ASSERT_EQ(result.findings.size(), 2u);
  EXPECT_EQ(result.findings[0].address, 0x100u);
  EXPECT_EQ(result.findings[0].count, 2u);
  EXPECT_EQ(result.findings[0].time, 10u);
  EXPECT_EQ(result.findings[1].count, 1u);
}

TEST(Sanitizer, a_place_that_becomes_worse_is_told_anew_at_its_worst) {
  Sanitizer check({}, {.rules = {"halt"}}, makers());
  std::vector<FindingSeverity> told;
  check.on_finding = [&](const Finding& finding) { told.push_back(finding.severity); };
  auto halts = std::vector(3, record(RecordKind::Halted, 10, 0x100));
  halts[1].detail = static_cast<u8>(FindingSeverity::Error);
  halts[1].time = 20;
  check.consume(halts);
  const CheckResult result = check.finish({});
  EXPECT_THAT(told, ElementsAre(FindingSeverity::Note, FindingSeverity::Error));
  ASSERT_EQ(result.findings.size(), 1u);
  EXPECT_EQ(result.findings[0].severity, FindingSeverity::Error);
  EXPECT_EQ(result.findings[0].time, 20u);
  EXPECT_EQ(result.findings[0].count, 3u);
}

TEST(Sanitizer, a_class_of_several_rules_reports_only_those_that_were_asked_for) {
  Sanitizer check({}, {.rules = {"second"}}, makers());
  check.consume(std::vector{record(RecordKind::Halted, 10, 0x100)});
  const CheckResult result = check.finish({});
  ASSERT_EQ(result.findings.size(), 1u);
  EXPECT_EQ(result.findings[0].rule, "second");
  EXPECT_THAT(result.checked, ElementsAre("second"));
}

TEST(Sanitizer, a_rule_gets_only_the_kinds_of_records_that_it_wants) {
  HaltRule::consumed = 0;
  Sanitizer check({}, {.rules = {"halt"}}, makers());
  check.consume(
      std::vector{record(RecordKind::Raised, 1), record(RecordKind::Halted, 2), record(RecordKind::Woken, 3)});
  EXPECT_EQ(HaltRule::consumed, 1);
}

TEST(Sanitizer, the_life_is_kept_as_it_was_when_the_rule_fired) {
  Sanitizer check({}, {.rules = {"halt"}}, makers());
  check.consume(std::vector{record(RecordKind::Raised, 1, 0, 7), record(RecordKind::Halted, 2, 0x100, 7),
                            record(RecordKind::Lowered, 3, 0, 7)});
  const CheckResult result = check.finish({});
  ASSERT_EQ(result.findings.size(), 1u);
  ASSERT_FALSE(result.findings[0].life.records.empty());
  EXPECT_EQ(result.findings[0].life.id, 7u);
  EXPECT_EQ(result.findings[0].life.records.front().kind, RecordKind::Raised);
  EXPECT_NE(result.findings[0].life.records.back().kind, RecordKind::Lowered);
}

TEST(Sanitizer, on_a_trace_says_which_rules_need_a_live_run) {
  Sanitizer check({}, {.rules = {"deaf", "live"}}, makers());
  const CheckResult result = check.finish({.time = 5});
  EXPECT_THAT(result.checked, ElementsAre("deaf"));
  EXPECT_THAT(result.need_live, ElementsAre("live"));
  ASSERT_EQ(result.findings.size(), 1u);
  EXPECT_EQ(result.findings[0].time, 5u);
}

TEST(Sanitizer, memory_is_bounded_and_what_is_dropped_is_counted) {
  Sanitizer check({}, {.rules = {"halt"}}, makers());
  for (u64 i = 0; i < Sanitizer::most_findings + 5; ++i) {
    check.consume(std::vector{record(RecordKind::Halted, i, 0x1000 + i)});
  }
  const CheckResult result = check.finish({});
  EXPECT_EQ(result.findings.size(), Sanitizer::most_findings);
  EXPECT_EQ(result.not_kept, 5u);
}

TEST(Sanitizer, suppressed_places_are_counted_and_not_told) {
  auto suppressions = Suppressions::parse("# from the first day\n*:line=3\n*:*  # all\n", "list");
  ASSERT_TRUE(suppressions.has_value()) << suppressions.error();
  Sanitizer check({}, {.rules = {"halt"}, .suppressions = *suppressions}, makers());
  check.on_finding = [](const Finding&) { ADD_FAILURE(); };
  check.consume(std::vector{record(RecordKind::Halted, 10, 0x100), record(RecordKind::Halted, 20, 0x100)});
  const CheckResult result = check.finish({});
  EXPECT_THAT(result.findings, IsEmpty());
  EXPECT_EQ(result.suppressed, 1u);
  EXPECT_THAT(result.unused_suppressions, ElementsAre("list:2: *:line=3"));
}

/// Names everything "driver::poll(int)+0x4 (net/poll.cpp:12)".
class OneName final : public Symboliser {
 public:
  [[nodiscard]] std::string describe(u64 /*address*/) const override { return "driver::poll(int)+0x4 (poll.cpp:12)"; }
  [[nodiscard]] std::optional<SourcePlace> place(u64 /*address*/) const override {
    return SourcePlace{"/src/net/poll.cpp", 12};
  }
};

TEST(Suppressions, match_by_function_source_line_vector_and_irq_line) {
  const OneName symbols;
  const Finding finding = {.rule = "halt", .address = 0x100, .line = 4, .vector = 0x24};
  const auto covers = [&](const char* text) {
    auto parsed = Suppressions::parse(text, "list");
    return parsed.has_value() && parsed->covers(finding, &symbols);
  };
  for (const char* good :
       {"*:driver::poll", "*:driver::poll(int)", "*:driver::*", "*:*::pol?", "*:poll.cpp:12", "*:net/poll.cpp:12",
        "*:/src/net/poll.cpp:12", "*:vector=0x24", "*:vector=36", "  * : line=4  # why"}) {
    EXPECT_TRUE(covers(good)) << good;
  }
  for (const char* bad :
       {"*:poll", "*:driver::pol", "*:poll.cpp:13", "*:oll.cpp:12", "*:vector=0x25", "*:line=5", "# nothing", ""}) {
    EXPECT_FALSE(covers(bad)) << bad;
  }
}

TEST(Suppressions, a_function_that_was_put_into_the_named_one_does_not_hide_its_name) {
  class Inlined final : public Symboliser {
   public:
    [[nodiscard]] std::string describe(u64 /*address*/) const override {
      return "driver::handler(int) (poll.cpp:12, inlined driver::poke(int))";
    }
  };
  auto parsed = Suppressions::parse("*:driver::handler", "list");
  ASSERT_TRUE(parsed.has_value());
  const Inlined symbols;
  EXPECT_TRUE(parsed->covers({.rule = "halt", .address = 0x100}, &symbols));
}

TEST(Suppressions, a_wrong_line_is_named_with_file_and_number) {
  for (const auto& [text, clause] : std::initializer_list<std::pair<const char*, const char*>>{
           {"\nno colon here", "list:2: 'no colon here' is not RULE:WHERE"},
           {"no-such-rule:f", "list:1: there is no rule 'no-such-rule'"},
           {"*:", "list:1: nothing stands after the colon"},
           {"*:vector=256", "list:1: 'vector=256'"},
           {"*:line=x", "list:1: 'line=x'"}}) {
    const auto parsed = Suppressions::parse(text, "list");
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_THAT(parsed.error(), HasSubstr(clause));
  }
}

TEST(Suppressions, globs_have_stars_and_question_marks) {
  EXPECT_TRUE(glob_matches("", ""));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("a*b*c", "aXbYbZc"));
  EXPECT_TRUE(glob_matches("a?c", "abc"));
  EXPECT_FALSE(glob_matches("a?c", "ac"));
  EXPECT_FALSE(glob_matches("a*b", "abc"));
  EXPECT_FALSE(glob_matches("", "a"));
}

TEST(SelectRules, reads_from_left_to_right) {
  const auto all = select_rules("");
  ASSERT_TRUE(all.has_value());
  if (all->size() < 2) GTEST_SKIP() << "this build has no rules";
  const std::string first((*all)[0]);
  EXPECT_THAT(*select_rules(first), ElementsAre(first));
  EXPECT_EQ(select_rules("-" + first)->size(), all->size() - 1);
  EXPECT_EQ(select_rules("all,-" + first)->size(), all->size() - 1);
  EXPECT_EQ(select_rules("-" + first + ",all")->size(), all->size());
  EXPECT_EQ(select_rules("-" + first + "," + first), all);
}

TEST(SelectRules, an_unknown_name_is_met_with_those_that_are_near) {
  if (all_rules().empty()) GTEST_SKIP() << "this build has no rules";
  const std::string first((*select_rules(""))[0]);
  const auto wrong = select_rules(first + "x");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_THAT(wrong.error(), HasSubstr("there is no rule '" + first + "x', but " + first));
  EXPECT_FALSE(select_rules("a,,b").has_value());
  EXPECT_FALSE(select_rules("-all").has_value());
}

TEST(Rules, have_unique_ids_titles_and_fixes) {
  std::vector<std::string_view> ids;
  for (const RuleMaker& maker : all_rules()) {
    for (const RuleInfo& rule : maker.rules) {
      ids.push_back(rule.id);
      EXPECT_FALSE(rule.title.empty()) << rule.id;
      EXPECT_FALSE(rule.title.ends_with('.')) << rule.id;
      EXPECT_TRUE(rule.fix.ends_with('.')) << rule.id;
      EXPECT_EQ(find_rule(rule.id), &rule);
    }
  }
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end());
}

}  // namespace
}  // namespace vitrine
