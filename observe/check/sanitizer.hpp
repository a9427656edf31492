// The interrupt sanitizer: feeds the rules, and keeps what they find.
//
// In a run it reads the ledger and is the CPU's probe; on a trace it gets the records alone. Its memory does not grow
// with the run: findings are kept once for each place, and no more than most_findings of them.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "observe/check/rule.hpp"
#include "observe/check/suppressions.hpp"

namespace vitrine {

/// All that a check has to say: what check_text(), check_json() and check_sarif() print.
struct CheckResult {
  TraceHeader header;
  RunEnd end;
  std::vector<std::string_view> checked;    ///< ids of the rules that ran
  std::vector<std::string_view> need_live;  ///< ids that were asked for and a trace can't feed
  std::vector<Finding> findings;            ///< in the order in which they were found
  u64 not_kept = 0;                         ///< reports of further places, beyond Sanitizer::most_findings
  u64 suppressed = 0;                       ///< places that a suppression covers
  std::vector<std::string> unused_suppressions;
  bool complete = true;  ///< false: the trace is damaged, and this is from its good part

  [[nodiscard]] u64 count(FindingSeverity severity) const;
};

class Sanitizer final : public LedgerSink, public CpuProbe, private FindingSink {
 public:
  static constexpr std::size_t most_findings = 1000;

  struct Options {
    std::vector<std::string_view> rules;  ///< ids of the rules to run: select_rules()
    /// A live run's ledger, which is flushed before each call of the probe, so that rules know all that was before it.
    /// Null: on a trace.
    Ledger* ledger = nullptr;
    const Symboliser* symbols = nullptr;  ///< for suppressions by name or file
    Suppressions suppressions;
  };

  explicit Sanitizer(const TraceHeader& header, Options options, std::span<const RuleMaker> makers = all_rules());

  /// Called when a place is found the first time, and again if its severity rises.
  std::function<void(const Finding&)> on_finding;

  void consume(std::span<const Record> records) override;
  /// None of the rules that were asked for can be checked here.
  [[nodiscard]] bool checks_nothing() const { return result_.checked.empty(); }
  /// Call once, after the last record.
  [[nodiscard]] CheckResult finish(const RunEnd& end);

  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) override;
  void returning(const Cpu& cpu, const ProbedReturn& iret) override;
  void returned(const Cpu& cpu, const ProbedReturn& iret) override;
  void left_kernel(const Cpu& cpu, u64 instruction) override;
  void entered_kernel(const Cpu& cpu, u64 instruction) override;
  void table_loaded(const Cpu& cpu, ProbedTable table, u64 instruction) override;
  void interrupts_enabled(const Cpu& cpu, u64 instruction) override;
  void halted(const Cpu& cpu, u64 instruction, HaltShadow shadow) override;
  void stack_switched(const Cpu& cpu, u64 instruction, u64 from, u64 to) override;
  void gs_changed(const Cpu& cpu, u64 instruction, GsChange change) override;
  void gs_used(const Cpu& cpu, u64 instruction) override;
  void code_point(const Cpu& cpu, u64 address) override;
  void looked(const Cpu& cpu) override;

 private:
  using Rules = std::vector<Rule*>;
  /// What makes two findings one: rule, address, line, vector.
  using Place = std::tuple<std::string, u64, int, int>;

  void report(Finding finding) override;
  /// Calls `call` on the rules that hear it, and forgets those that turn out not to.
  template <class Call>
  void tell(const Cpu& cpu, RuleCall which, const Call& call);
  void ask_for_wishes();
  static void forget(Rules& rules, RuleCall which);
  Rules& hearing(RuleCall call) { return hearing_[static_cast<std::size_t>(call)]; }
  [[nodiscard]] bool runs(std::string_view rule) const;

  CheckResult result_;
  Options options_;
  LifeTracker lives_;
  std::vector<std::unique_ptr<Rule>> rules_;
  std::array<Rules, rule_calls> hearing_;  // by RuleCall
  std::array<Rules, 64> by_kind_;          // rules whose consume() wants this kind of record
  std::map<Place, std::size_t> places_;    // index into result_.findings, or is_suppressed
  static constexpr std::size_t is_suppressed = ~std::size_t{0};
  // The moment that rules speak of.
  u64 time_ = 0, instructions_ = 0;
  u8 cpu_ = 0;
};

}  // namespace vitrine
