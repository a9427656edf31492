#include <algorithm>
#include <array>

#include "observe/check/rules/rule_lists.hpp"

namespace vitrine {

namespace {

/// The ids in the order of the catalogue, which is that of frequency as far as it is known.
constexpr auto catalogue = std::to_array<std::string_view>({"missing-eoi",
                                                            "eoi-wrong-controller",
                                                            "eoi-half-cascade",
                                                            "eoi-wrong-bit",
                                                            "eoi-without-service",
                                                            "eoi-after-switch",
                                                            "unremapped-pic",
                                                            "bad-idt",
                                                            "clobbered-register",
                                                            "frame-layout",
                                                            "stale-selector",
                                                            "handler-lock",
                                                            "lost-wakeup-before-hlt",
                                                            "dead-halt",
                                                            "unserviced-device",
                                                            "ioapic-mismatch",
                                                            "interrupts-off-too-long",
                                                            "if-leak",
                                                            "masked-line",
                                                            "spurious-mishandled",
                                                            "stale-tss-stack",
                                                            "stack-collision",
                                                            "wrong-gs",
                                                            "red-zone",
                                                            "fpu-state-lost",
                                                            "misaligned-handler-stack",
                                                            "lost-edge",
                                                            "timer-rate",
                                                            "enabled-too-early",
                                                            "ipi-deadlock",
                                                            "bad-ipi",
                                                            "lost-message",
                                                            "handler-too-long",
                                                            "no-progress",
                                                            "stack-on-two-cpus"});

std::size_t rank(const RuleMaker& maker) {
  const std::string_view first = maker.rules.empty() ? std::string_view() : maker.rules.front().id;
  return static_cast<std::size_t>(std::ranges::find(catalogue, first) - catalogue.begin());
}

}  // namespace

const std::vector<RuleMaker>& all_rules() {
  static const std::vector<RuleMaker> rules = [] {
    std::vector<RuleMaker> all = controller_rules();
    for (auto&& part : {register_rules(), flow_rules()}) all.insert(all.end(), part.begin(), part.end());
    std::ranges::sort(all, {}, rank);
    return all;
  }();
  return rules;
}

const RuleInfo* find_rule(std::string_view id) {
  for (const RuleMaker& maker : all_rules()) {
    for (const RuleInfo& rule : maker.rules) {
      if (rule.id == id) return &rule;
    }
  }
  return nullptr;
}

}  // namespace vitrine
