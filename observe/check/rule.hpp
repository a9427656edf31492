// What a rule of the sanitizer is: a small state machine over ledger records and, in a live run, the CPU's probe.
//
// A rule gets every record in order; a live run adds the probe's calls, each after all records of the moments before
// it. On a trace only consume() and finish() come. Rules never change the machine and hold bounded state.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "machine/cpu/cpu.hpp"
#include "machine/cpu/probe.hpp"
#include "observe/check/finding.hpp"
#include "observe/life/life.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

/// Where a rule says what it found.
class FindingSink {
 public:
  virtual ~FindingSink() = default;
  /// Time, instruction count and CPU are filled in from the last record or probe call unless they are set.
  virtual void report(Finding finding) = 0;
};

/// What all rules may ask.
struct RuleContext {
  FindingSink& findings;
  const LifeTracker& lives;
  const TraceHeader& header;
  bool live = false;  ///< the probe's calls come
};

class Rule {
 public:
  explicit Rule(const RuleContext& context) : context_(context) {}
  virtual ~Rule() = default;

  virtual void consume(const Record&) {}
  /// The run has ended. What is judged by patience alone is judged now if its time is up.
  virtual void finish(const RunEnd&) {}

  // A live run only; see CpuProbe.
  virtual void delivered(const Cpu&, const ProbedDelivery&) {}
  virtual void returning(const Cpu&, const ProbedReturn&) {}
  virtual void returned(const Cpu&, const ProbedReturn&) {}
  virtual void left_kernel(const Cpu&, u64 /*instruction*/) {}
  virtual void entered_kernel(const Cpu&, u64 /*instruction*/) {}
  virtual void table_loaded(const Cpu&, ProbedTable, u64 /*instruction*/) {}
  virtual void interrupts_enabled(const Cpu&, u64 /*instruction*/) {}
  virtual void halted(const Cpu&, u64 /*instruction*/, CpuProbe::HaltShadow) {}
  virtual void stack_switched(const Cpu&, u64 /*instruction*/, u64 /*from*/, u64 /*to*/) {}
  virtual void gs_changed(const Cpu&, u64 /*instruction*/, CpuProbe::GsChange) {}
  virtual void gs_used(const Cpu&, u64 /*instruction*/) {}
  virtual void looked(const Cpu&) {}
  /// True while the rule wants interrupts_enabled() / gs_used().
  [[nodiscard]] virtual bool wants_interrupt_flag() const { return false; }
  [[nodiscard]] virtual bool wants_gs_use() const { return false; }

 protected:
  RuleContext context_;
};

/// What is known of a rule without running it. One entry per id of the catalogue that is implemented.
struct RuleInfo {
  std::string_view id;
  std::string_view title;   ///< one clause: "a handler returned without ending its interrupt"
  std::string_view fix;     ///< one or two sentences: what usually helps
  bool needs_live = false;  ///< a trace alone can't tell
};

/// A class that checks one or several ids.
struct RuleMaker {
  std::vector<RuleInfo> rules;
  std::function<std::unique_ptr<Rule>(const RuleContext&)> make;
};
/// All of them, in the catalogue's order. observe/check/rules/all.cpp.
[[nodiscard]] const std::vector<RuleMaker>& all_rules();
[[nodiscard]] const RuleInfo* find_rule(std::string_view id);

}  // namespace vitrine
