#include "observe/check/rules/rule_lists.hpp"

namespace vitrine {

std::vector<RuleMaker> flow_rules() { return {}; }

}  // namespace vitrine
