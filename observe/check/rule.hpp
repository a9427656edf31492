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
  /// The CPU of the record or probe call that the rule is given now.
  [[nodiscard]] u8 cpu() const { return current_cpu != nullptr ? *current_cpu : u8{0}; }
  const u8* current_cpu = nullptr;
};

/// What a rule can be told, for Rule::ignored().
enum class RuleCall : u8 {
  Consume,
  Delivered,
  Returning,
  Returned,
  LeftKernel,
  EnteredKernel,
  TableLoaded,
  InterruptsEnabled,
  Halted,
  StackSwitched,
  GsChanged,
  GsUsed,
  Looked,
  WantsInterruptFlag,
  WantsGsUse,
};
inline constexpr std::size_t rule_calls = 15;

/// A bit for each kind of record: see Rule::record_kinds().
using RecordKinds = u64;
inline constexpr RecordKinds all_record_kinds = ~u64{0};
template <class... Kinds>
constexpr RecordKinds record_kinds_of(Kinds... kinds) {
  return ((u64{1} << static_cast<unsigned>(kinds)) | ...);
}

/// A rule overrides what it wants to hear. The bodies here note that nobody did, and the sanitizer then stops calling:
/// what a rule does not override costs nothing.
class Rule {
 public:
  explicit Rule(const RuleContext& context) : context_(context) {}
  virtual ~Rule() = default;
  Rule(const Rule&) = delete;
  Rule& operator=(const Rule&) = delete;

  virtual void consume(const Record&) { ignore(RuleCall::Consume); }
  /// The kinds of records that consume() wants. Asked once.
  [[nodiscard]] virtual RecordKinds record_kinds() const { return all_record_kinds; }
  /// The run has ended. What is judged by patience alone is judged now if its time is up.
  virtual void finish(const RunEnd&) {}

  // A live run only; see CpuProbe.
  virtual void delivered(const Cpu&, const ProbedDelivery&) { ignore(RuleCall::Delivered); }
  virtual void returning(const Cpu&, const ProbedReturn&) { ignore(RuleCall::Returning); }
  virtual void returned(const Cpu&, const ProbedReturn&) { ignore(RuleCall::Returned); }
  virtual void left_kernel(const Cpu&, u64 /*instruction*/) { ignore(RuleCall::LeftKernel); }
  virtual void entered_kernel(const Cpu&, u64 /*instruction*/) { ignore(RuleCall::EnteredKernel); }
  virtual void table_loaded(const Cpu&, ProbedTable, u64 /*instruction*/) { ignore(RuleCall::TableLoaded); }
  virtual void interrupts_enabled(const Cpu&, u64 /*instruction*/) { ignore(RuleCall::InterruptsEnabled); }
  virtual void halted(const Cpu&, u64 /*instruction*/, CpuProbe::HaltShadow) { ignore(RuleCall::Halted); }
  virtual void stack_switched(const Cpu&, u64 /*instruction*/, u64 /*from*/, u64 /*to*/) {
    ignore(RuleCall::StackSwitched);
  }
  virtual void gs_changed(const Cpu&, u64 /*instruction*/, CpuProbe::GsChange) { ignore(RuleCall::GsChanged); }
  virtual void gs_used(const Cpu&, u64 /*instruction*/) { ignore(RuleCall::GsUsed); }
  virtual void looked(const Cpu&) { ignore(RuleCall::Looked); }
  /// True while the rule wants interrupts_enabled() / gs_used(). Asked after every call of the probe.
  [[nodiscard]] virtual bool wants_interrupt_flag() const { return never(RuleCall::WantsInterruptFlag); }
  [[nodiscard]] virtual bool wants_gs_use() const { return never(RuleCall::WantsGsUse); }

  /// Has this call met a body of this class, so that it is in vain?
  [[nodiscard]] bool ignored(RuleCall call) const { return (ignored_ >> static_cast<unsigned>(call) & 1) != 0; }

 protected:
  RuleContext context_;

 protected:
  void ignore(RuleCall call) const { ignored_ |= 1u << static_cast<unsigned>(call); }

 private:
  [[nodiscard]] bool never(RuleCall call) const {
    ignore(call);
    return false;
  }

  mutable u32 ignored_ = 0;
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
  bool per_cpu = false;                ///< one for each CPU: per_cpu.hpp
  std::vector<std::string_view> also;  ///< ids of other classes' that this one has a part of
};
/// All of them, in the catalogue's order. observe/check/rules/all.cpp.
[[nodiscard]] const std::vector<RuleMaker>& all_rules();
[[nodiscard]] const RuleInfo* find_rule(std::string_view id);

}  // namespace vitrine
