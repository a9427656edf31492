// handler-too-long and no-progress: handlers that take the CPU away from what they interrupt.
//
// A handler's time runs from its delivery to its end of interrupt or its return, whichever comes first, without the
// handlers that interrupt it. One instruction is one nanosecond.
#pragma once

#include <optional>
#include <vector>

#include "observe/check/rule.hpp"

namespace vitrine {

class HandlerTimeRules final : public Rule {
 public:
  using Rule::Rule;
  static RuleMaker maker();

  void consume(const Record& record) override;
  [[nodiscard]] RecordKinds record_kinds() const override;
  void looked(const Cpu& cpu) override;
  void stack_switched(const Cpu& cpu, u64 instruction, u64 from, u64 to) override;

 private:
  struct Running {
    u64 id = 0;
    u64 frame = 0;
    u8 vector = 0;
    DeliveryKind kind{};
    u64 handler = 0;
    u64 since = 0;
    u64 nested = 0;         ///< ns of handlers on top of it
    bool measured = false;  ///< its end of interrupt has come, or another thread ran: its time is no longer its own
    u32 printed = 0;        ///< bytes written to serial and debug ports
    u16 port = 0;
  };
  /// Deliveries that follow one another with nothing in between.
  struct Starved {
    u64 interrupted = 0;
    u64 request = 0;
    std::optional<u64> returned_at;  ///< instruction count of the IRET
    u64 in_a_row = 0;
  };

  void begin(const Record& record);
  void end(const Record& record);
  void follow_progress(const Record& record);
  void measure(Running& handler, u64 now);
  void tell_printed(const Running& handler);

  std::vector<Running> running_;
  std::vector<u64> left_stacks_;
  Starved starved_;
  bool booted_ = false;
  u64 counted_at_ = 0;  ///< instruction count of the last byte that was counted
};

}  // namespace vitrine
