// The parts that all_rules() is put together from, each in a file of its own.
#pragma once

#include <vector>

#include "observe/check/rule.hpp"

namespace vitrine {

/// Registers, frames and stacks: what a handler must leave as it was.
[[nodiscard]] std::vector<RuleMaker> register_rules();
/// The flow of control: locks, HLT, IF, gates, devices, time in handlers.
[[nodiscard]] std::vector<RuleMaker> flow_rules();
/// The interrupt controllers and the timer: EOIs, masks, vectors, rates.
[[nodiscard]] std::vector<RuleMaker> controller_rules();

}  // namespace vitrine
