// A delivery that failed, and what came of it: the faults that followed, up to a handler that could be entered, or to
// the shutdown.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "machine/core/ledger.hpp"
#include "machine/cpu/fault_chain.hpp"

namespace vitrine {

struct FailedDelivery {
  enum class Origin : u8 { External, Nmi, Exception, Software };
  struct Step {
    u8 vector = 0;
    FailedCheck check{};
    u64 error = 0;  ///< as Record::extra has it: of the fault that it made
  };
  u64 id = 0;
  u8 vector = 0;
  Origin origin{};
  u8 privilege = 0;
  u64 address = 0;  ///< the instruction at which it was to be delivered
  u64 time = 0, instructions = 0;
  std::vector<Step> steps;  ///< deliveries that failed, in order; the first is this one
  u8 stack_fault = 0;       ///< the first failure made a #SS
  bool shut_down = false;
  u8 entered = 0;           ///< the vector whose handler was entered in the end, unless shut_down
  u64 entered_address = 0;  ///< that handler
};

class DeliveryChains {
 public:
  /// Gives back a chain that this record has ended.
  std::optional<FailedDelivery> consume(const Record& record);

 private:
  std::optional<FailedDelivery> open_;
  u64 exception_ = 0;      // id of the last Exception
  u64 acknowledged_ = 0;   // id of the last Acknowledged
  bool spurious_ = false;  // the last acknowledge found nothing
};

}  // namespace vitrine
