// bad-idt and enabled-too-early: gates that can't be entered, before an interrupt comes and when it does; lines that
// are let through before their gate, or what their handler stands on, is there.
#pragma once

#include <bitset>
#include <optional>
#include <vector>

#include "observe/check/rule.hpp"
#include "observe/check/rules/controller_picture.hpp"
#include "observe/check/rules/delivery_chain.hpp"
#include "observe/check/rules/idt_view.hpp"

namespace vitrine {

class GateRules final : public Rule {
 public:
  using Rule::Rule;
  static RuleMaker maker();

  void consume(const Record& record) override;
  [[nodiscard]] RecordKinds record_kinds() const override;
  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) override;
  void table_loaded(const Cpu& cpu, ProbedTable table, u64 instruction) override;
  void interrupts_enabled(const Cpu& cpu, u64 instruction) override;
  [[nodiscard]] bool wants_interrupt_flag() const override { return table_changed_ && armed(); }
  void looked(const Cpu& cpu) override;
  void finish(const RunEnd& end) override;

 private:
  /// A line was unmasked while its gate still led to the handler of all unused vectors.
  struct Early {
    u8 line = 0, vector = 0;
    u64 target = 0;  ///< that handler
    u64 by = 0;      ///< the instruction that unmasked
    u64 time = 0;
    u64 running = 0;  ///< the request that it handles
  };
  /// The first delivery of a vector, until its end of interrupt or its return.
  struct First {
    u64 id = 0;
    u8 vector = 0;
    u64 handler = 0;
    u64 exception = 0;  ///< raised inside, not returned from so far
    Record raised;
  };

  [[nodiscard]] bool armed() const { return table_loaded_by_ != 0; }
  void judge_failed();
  void judge_fetch(const Record& exception);
  void follow_first(const Record& record);
  void follow_early(const Record& record);
  void report_first();
  void lint(const Cpu& cpu);
  void look_at_opened(const Cpu& cpu);
  [[nodiscard]] bool is_default(const Cpu& cpu, u64 target) const;
  void report_early(const Early& early, std::string evidence);

  ControllerPicture controllers_{context_.header};
  DeliveryChains chains_;
  std::optional<FailedDelivery> failed_;  ///< not judged yet
  u64 table_loaded_by_ = 0;               ///< the last LIDT
  u16 table_limit_ = 0;
  bool protected_mode_ = true;   ///< as of the probe's last call; a trace does not say
  bool table_changed_ = false;   ///< the table, or what can be sent, is to be looked at when IF becomes 1
  u16 opened_ = 0;               ///< lines that were unmasked since the last look
  std::bitset<256> told_;        ///< vectors with a finding
  std::vector<Finding> linted_;  ///< held back: the delivery itself may say it better
  std::vector<Early> early_;
  std::vector<u64> ending_defaults_;  ///< handlers of unused vectors that do end the interrupt
  std::bitset<256> seen_;             ///< external vectors that have been delivered
  std::optional<First> first_;
  Record last_delivered_{};
};

}  // namespace vitrine
