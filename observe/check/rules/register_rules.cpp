#include "observe/check/rules/rule_lists.hpp"

namespace vitrine {

std::vector<RuleMaker> register_rules() { return {}; }

}  // namespace vitrine
