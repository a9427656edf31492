// Rules that follow one CPU: where a machine has several, each CPU gets one of its own.
#pragma once

#include <memory>

#include "observe/check/rule.hpp"

namespace vitrine {

/// The rule of this maker; for makers that are per_cpu, on a machine with several CPUs, one that hands each record and
/// each call of the probe to the rule of its CPU. What devices and controllers tell concerns all of them.
[[nodiscard]] std::unique_ptr<Rule> make_rule(const RuleMaker& maker, const RuleContext& context);

}  // namespace vitrine
