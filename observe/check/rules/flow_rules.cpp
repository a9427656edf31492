#include "observe/check/rules/gate_rules.hpp"
#include "observe/check/rules/halt_rules.hpp"
#include "observe/check/rules/handler_lock.hpp"
#include "observe/check/rules/handler_time.hpp"
#include "observe/check/rules/if_leak.hpp"
#include "observe/check/rules/rule_lists.hpp"
#include "observe/check/rules/unserviced_device.hpp"

namespace vitrine {

std::vector<RuleMaker> flow_rules() {
  return {GateRules::maker(),  HandlerLockRule::maker(),      HaltRules::maker(),
          IfLeakRule::maker(), UnservicedDeviceRule::maker(), HandlerTimeRules::maker()};
}

}  // namespace vitrine
