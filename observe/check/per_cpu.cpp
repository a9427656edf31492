#include "observe/check/per_cpu.hpp"

#include <algorithm>
#include <utility>

namespace vitrine {

namespace {

/// Of one CPU; all others are the machine's.
constexpr RecordKinds kinds_of_cpus =
    record_kinds_of(RecordKind::Delivered, RecordKind::Returned, RecordKind::Exception, RecordKind::DeliveryFailed,
                    RecordKind::TripleFault, RecordKind::Halted, RecordKind::Woken, RecordKind::InterruptsOff,
                    RecordKind::Acknowledged, RecordKind::Spurious, RecordKind::ThreadRuns, RecordKind::ThreadBlocked,
                    RecordKind::CpuStarted, RecordKind::CpuReset);

class PerCpuRule final : public Rule {
 public:
  PerCpuRule(const RuleContext& context, const RuleMaker& maker, std::size_t cpus) : Rule(context) {
    for (std::size_t cpu = 0; cpu < cpus; ++cpu) rules_.push_back(maker.make(context));
  }

  [[nodiscard]] RecordKinds record_kinds() const override { return rules_.front()->record_kinds(); }
  void consume(const Record& record) override {
    const auto kind = static_cast<unsigned>(record.kind);
    const bool of_cpu = kind < 64 && (kinds_of_cpus >> kind & 1) != 0;
    if (of_cpu || is_cpus_obstacle(record)) {
      of(record.cpu).consume(record);
    } else {
      for (const auto& rule : rules_) rule->consume(record);
    }
    if (rules_.front()->ignored(RuleCall::Consume)) ignore(RuleCall::Consume);
  }
  void finish(const RunEnd& end) override {
    for (const auto& rule : rules_) rule->finish(end);
  }

  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) override {
    tell(RuleCall::Delivered, [&](Rule& rule) { rule.delivered(cpu, delivery); });
  }
  void returning(const Cpu& cpu, const ProbedReturn& iret) override {
    tell(RuleCall::Returning, [&](Rule& rule) { rule.returning(cpu, iret); });
  }
  void returned(const Cpu& cpu, const ProbedReturn& iret) override {
    tell(RuleCall::Returned, [&](Rule& rule) { rule.returned(cpu, iret); });
  }
  void left_kernel(const Cpu& cpu, u64 instruction) override {
    tell(RuleCall::LeftKernel, [&](Rule& rule) { rule.left_kernel(cpu, instruction); });
  }
  void entered_kernel(const Cpu& cpu, u64 instruction) override {
    tell(RuleCall::EnteredKernel, [&](Rule& rule) { rule.entered_kernel(cpu, instruction); });
  }
  void table_loaded(const Cpu& cpu, ProbedTable table, u64 instruction) override {
    tell(RuleCall::TableLoaded, [&](Rule& rule) { rule.table_loaded(cpu, table, instruction); });
  }
  void interrupts_enabled(const Cpu& cpu, u64 instruction) override {
    tell(RuleCall::InterruptsEnabled, [&](Rule& rule) { rule.interrupts_enabled(cpu, instruction); });
  }
  void halted(const Cpu& cpu, u64 instruction, CpuProbe::HaltShadow shadow) override {
    tell(RuleCall::Halted, [&](Rule& rule) { rule.halted(cpu, instruction, shadow); });
  }
  void stack_switched(const Cpu& cpu, u64 instruction, u64 from, u64 to) override {
    tell(RuleCall::StackSwitched, [&](Rule& rule) { rule.stack_switched(cpu, instruction, from, to); });
  }
  void gs_changed(const Cpu& cpu, u64 instruction, CpuProbe::GsChange change) override {
    tell(RuleCall::GsChanged, [&](Rule& rule) { rule.gs_changed(cpu, instruction, change); });
  }
  void gs_used(const Cpu& cpu, u64 instruction) override {
    tell(RuleCall::GsUsed, [&](Rule& rule) { rule.gs_used(cpu, instruction); });
  }
  void looked(const Cpu& cpu) override {
    tell(RuleCall::Looked, [&](Rule& rule) { rule.looked(cpu); });
  }
  [[nodiscard]] bool wants_interrupt_flag() const override {
    const bool wanted = std::ranges::any_of(rules_, [](const auto& rule) { return rule->wants_interrupt_flag(); });
    if (rules_.front()->ignored(RuleCall::WantsInterruptFlag)) ignore(RuleCall::WantsInterruptFlag);
    return wanted;
  }
  [[nodiscard]] bool wants_gs_use() const override {
    const bool wanted = std::ranges::any_of(rules_, [](const auto& rule) { return rule->wants_gs_use(); });
    if (rules_.front()->ignored(RuleCall::WantsGsUse)) ignore(RuleCall::WantsGsUse);
    return wanted;
  }

 private:
  static bool is_cpus_obstacle(const Record& record) {
    const auto obstacle = static_cast<Obstacle>(record.detail);
    return record.kind == RecordKind::Blocked &&
           (obstacle == Obstacle::InterruptFlag || obstacle == Obstacle::InterruptShadow ||
            obstacle == Obstacle::NmiInProgress);
  }
  Rule& of(u8 cpu) { return *rules_[std::min<std::size_t>(cpu, rules_.size() - 1)]; }
  template <class Call>
  void tell(RuleCall which, const Call& call) {
    Rule& rule = of(context_.cpu());
    call(rule);
    if (rule.ignored(which)) ignore(which);
  }

  std::vector<std::unique_ptr<Rule>> rules_;
};

}  // namespace

std::unique_ptr<Rule> make_rule(const RuleMaker& maker, const RuleContext& context) {
  const auto cpus = static_cast<std::size_t>(std::ranges::count_if(
      context.header.sources, [](const std::string& source) { return source.starts_with("cpu"); }));
  if (!maker.per_cpu || cpus < 2) return maker.make(context);
  return std::make_unique<PerCpuRule>(context, maker, cpus);
}

}  // namespace vitrine
