#include "observe/check/rules/rule_lists.hpp"

namespace vitrine {

std::vector<RuleMaker> controller_rules() { return {}; }

}  // namespace vitrine
