#include "observe/check/sanitizer.hpp"

#include <algorithm>

#include "observe/check/per_cpu.hpp"

namespace vitrine {

u64 CheckResult::count(FindingSeverity severity) const {
  return static_cast<u64>(std::ranges::count(findings, severity, &Finding::severity));
}

Sanitizer::Sanitizer(const TraceHeader& header, Options options, std::span<const RuleMaker> makers)
    : options_(std::move(options)) {
  result_.header = header;
  const RuleContext context = {.findings = *this,
                               .lives = lives_,
                               .header = result_.header,
                               .live = options_.ledger != nullptr,
                               .current_cpu = &cpu_};
  for (const RuleMaker& maker : makers) {
    bool needed = false;
    for (const RuleInfo& rule : maker.rules) {
      if (std::ranges::find(options_.rules, rule.id) == options_.rules.end()) continue;
      const bool possible = context.live || !rule.needs_live;
      (possible ? result_.checked : result_.need_live).push_back(rule.id);
      needed = needed || possible;
    }
    for (const std::string_view id : maker.also) {
      needed = needed || std::ranges::find(options_.rules, id) != options_.rules.end();
    }
    if (needed) rules_.push_back(make_rule(maker, context));
  }
  for (const auto& rule : rules_) {
    for (Rules& list : hearing_) list.push_back(rule.get());
    const RecordKinds kinds = rule->record_kinds();
    for (std::size_t kind = 0; kind < by_kind_.size(); ++kind) {
      if ((kinds >> kind & 1) != 0) by_kind_[kind].push_back(rule.get());
    }
  }
  ask_for_wishes();
}

bool Sanitizer::runs(std::string_view rule) const {
  return std::ranges::find(result_.checked, rule) != result_.checked.end();
}

void Sanitizer::forget(Rules& rules, RuleCall which) {
  std::erase_if(rules, [which](const Rule* rule) { return rule->ignored(which); });
}

void Sanitizer::consume(std::span<const Record> records) {
  for (const Record& record : records) {
    time_ = record.time;
    instructions_ = record.instructions;
    cpu_ = record.cpu;
    lives_.consume(record);
    Rules& rules = by_kind_[std::min(static_cast<std::size_t>(record.kind), by_kind_.size() - 1)];
    bool in_vain = false;
    for (Rule* rule : rules) {
      rule->consume(record);
      in_vain = in_vain || rule->ignored(RuleCall::Consume);
    }
    if (in_vain) {
      for (Rules& each : by_kind_) forget(each, RuleCall::Consume);
    }
  }
}

template <class Call>
void Sanitizer::tell(const Cpu& cpu, RuleCall which, const Call& call) {
  options_.ledger->flush();
  time_ = cpu.context.clock.now().value;
  instructions_ = cpu.state.instructions;
  cpu_ = options_.ledger->context.cpu;
  bool in_vain = false;
  for (Rule* rule : hearing(which)) {
    call(*rule);
    in_vain = in_vain || rule->ignored(which);
  }
  if (in_vain) forget(hearing(which), which);
  ask_for_wishes();
}

void Sanitizer::ask_for_wishes() {
  const auto any = [this](RuleCall which, bool (Rule::*wants)() const) {
    bool wanted = false;
    bool in_vain = false;
    for (const Rule* rule : hearing(which)) {
      wanted = (rule->*wants)() || wanted;
      in_vain = in_vain || rule->ignored(which);
    }
    if (in_vain) forget(hearing(which), which);
    return wanted;
  };
  wants_interrupt_flag = any(RuleCall::WantsInterruptFlag, &Rule::wants_interrupt_flag);
  wants_gs_use = any(RuleCall::WantsGsUse, &Rule::wants_gs_use);
}

void Sanitizer::delivered(const Cpu& cpu, const ProbedDelivery& delivery) {
  tell(cpu, RuleCall::Delivered, [&](Rule& rule) { rule.delivered(cpu, delivery); });
}
void Sanitizer::returning(const Cpu& cpu, const ProbedReturn& iret) {
  tell(cpu, RuleCall::Returning, [&](Rule& rule) { rule.returning(cpu, iret); });
}
void Sanitizer::returned(const Cpu& cpu, const ProbedReturn& iret) {
  tell(cpu, RuleCall::Returned, [&](Rule& rule) { rule.returned(cpu, iret); });
}
void Sanitizer::left_kernel(const Cpu& cpu, u64 instruction) {
  tell(cpu, RuleCall::LeftKernel, [&](Rule& rule) { rule.left_kernel(cpu, instruction); });
}
void Sanitizer::entered_kernel(const Cpu& cpu, u64 instruction) {
  tell(cpu, RuleCall::EnteredKernel, [&](Rule& rule) { rule.entered_kernel(cpu, instruction); });
}
void Sanitizer::table_loaded(const Cpu& cpu, ProbedTable table, u64 instruction) {
  tell(cpu, RuleCall::TableLoaded, [&](Rule& rule) { rule.table_loaded(cpu, table, instruction); });
}
void Sanitizer::interrupts_enabled(const Cpu& cpu, u64 instruction) {
  tell(cpu, RuleCall::InterruptsEnabled, [&](Rule& rule) { rule.interrupts_enabled(cpu, instruction); });
}
void Sanitizer::halted(const Cpu& cpu, u64 instruction, HaltShadow shadow) {
  tell(cpu, RuleCall::Halted, [&](Rule& rule) { rule.halted(cpu, instruction, shadow); });
}
void Sanitizer::stack_switched(const Cpu& cpu, u64 instruction, u64 from, u64 to) {
  tell(cpu, RuleCall::StackSwitched, [&](Rule& rule) { rule.stack_switched(cpu, instruction, from, to); });
}
void Sanitizer::gs_changed(const Cpu& cpu, u64 instruction, GsChange change) {
  tell(cpu, RuleCall::GsChanged, [&](Rule& rule) { rule.gs_changed(cpu, instruction, change); });
}
void Sanitizer::gs_used(const Cpu& cpu, u64 instruction) {
  tell(cpu, RuleCall::GsUsed, [&](Rule& rule) { rule.gs_used(cpu, instruction); });
}
void Sanitizer::code_point(const Cpu& /*cpu*/, u64 /*address*/) {}  // rules set none
void Sanitizer::looked(const Cpu& cpu) {
  tell(cpu, RuleCall::Looked, [&](Rule& rule) { rule.looked(cpu); });
}

void Sanitizer::report(Finding finding) {
  if (!runs(finding.rule)) return;  // a class that checks several ids, of which this one was not asked for
  const Place place = {finding.rule, finding.address, finding.line, finding.vector};
  const auto known = places_.find(place);
  if (known != places_.end() && known->second == is_suppressed) return;
  Finding* const before = known != places_.end() ? &result_.findings[known->second] : nullptr;
  if (before != nullptr && finding.severity <= before->severity) {
    ++before->count;
    return;
  }

  if (finding.time == 0) finding.time = time_;
  if (finding.instructions == 0) finding.instructions = instructions_;
  if (finding.cpu == 0) finding.cpu = cpu_;
  if (const Life* life = finding.id != 0 ? lives_.find(finding.id) : nullptr) finding.life = *life;
  if (before != nullptr) {  // it has become worse: what is told is the worst that was seen
    finding.count = before->count + 1;
    *before = std::move(finding);
    if (on_finding) on_finding(*before);
    return;
  }
  if (options_.suppressions.covers(finding, options_.symbols)) {
    ++result_.suppressed;
    if (places_.size() < 2 * most_findings) places_.emplace(place, is_suppressed);
    return;
  }
  if (result_.findings.size() == most_findings) {
    ++result_.not_kept;  // places_ must not grow either: such a place may be counted again
    return;
  }
  places_.emplace(place, result_.findings.size());
  result_.findings.push_back(std::move(finding));
  if (on_finding) on_finding(result_.findings.back());
}

CheckResult Sanitizer::finish(const RunEnd& end) {
  time_ = end.time;
  instructions_ = end.instructions;
  for (const auto& rule : rules_) rule->finish(end);
  result_.end = end;
  result_.unused_suppressions = options_.suppressions.unused();
  return std::move(result_);
}

}  // namespace vitrine
