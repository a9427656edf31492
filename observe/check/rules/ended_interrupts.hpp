// missing-eoi, eoi-half-cascade, eoi-after-switch: a handler is left, and an 8259 still has its interrupt in service.
//
// A bit that stays is no mistake in itself: drivers that run as tasks end their interrupts late, and special mask mode
// lets others pass. It is one when another request has waited behind it for blocked_patience.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "observe/check/rule.hpp"
#include "observe/check/rules/pic_tracker.hpp"

namespace vitrine {

class EndedInterrupts final : public Rule {
 public:
  static constexpr u64 blocked_patience = 10'000'000;        ///< T_BLOCKED, ns
  static constexpr u64 blocked_with_interrupts_on = 10'000;  ///< of which IF was 1, ns
  static constexpr u64 late_patience = 100'000'000;          ///< an EOI that comes before this was late, not missing

  explicit EndedInterrupts(const RuleContext& context) : Rule(context), pics_(context.header) {}

  [[nodiscard]] RecordKinds record_kinds() const override {
    return PicTracker::kinds |
           record_kinds_of(RecordKind::Delivered, RecordKind::Returned, RecordKind::InterruptsOff, RecordKind::Halted);
  }
  void consume(const Record& record) override;
  void returned(const Cpu& cpu, const ProbedReturn& iret) override;
  void left_kernel(const Cpu& cpu, u64 instruction) override;
  void looked(const Cpu& cpu) override;
  void finish(const RunEnd& end) override;

 private:
  /// How the handler was left.
  enum class Way : u8 { Returned, Switched };
  /// A request that was still in service when its handler was left.
  struct Unended {
    u64 id = 0;
    Way way = Way::Returned;
    u8 line = 0;
    u64 handler = 0;               // its first instruction
    u64 left_by = 0;               // the IRET (or SYSRET...)
    u64 left_at = 0;               // when
    u64 instructions = 0;          // retired by then
    u8 chips = 0;                  // a bit for each 8259 that had it in service at that moment
    u64 other_end = 0;             // the instruction of the EOI that reached the other one of the two; 0: none did
    u64 blocked_at = 0;            // since when another request has been waiting behind it; 0: none is
    u64 blocked_instructions = 0;  // at that moment
    u64 interrupts_off = 0;        // how long IF was 0 since then
    int blocked_line = -1;
    u64 blocked_id = 0;
    PicTracker::Blocker blocker;
  };
  /// An explicit EOI of one half of a request of the second 8259.
  struct HalfEnd {
    u64 id = 0;
    u64 address = 0;
  };

  /// A non-specific EOI of one handler that ended what another one serves.
  struct Misdirected {
    u64 id = 0;  // whose handler sent it
    u64 address = 0;
    int ended_line = -1;
  };
  /// When, and by which instruction.
  struct Moment {
    u64 address = 0, time = 0, instructions = 0;
  };

  void ended(const Record& record);
  void ended_elsewhere(const Record& record);
  void left(u64 id, Way way, const Moment& moment);
  void left_by_others(u64 delivered_before, const Moment& moment);
  [[nodiscard]] u8 chips_serving(u64 id, u8 line) const;
  void look_who_waits(Unended& unended, u64 time, u64 instructions) const;
  void judge(u64 time);
  [[nodiscard]] bool waits_too_long(const Unended& unended, u64 time) const;
  void report(const Unended& unended, FindingSeverity severity, u64 eoi_at);
  [[nodiscard]] std::string cause(const Unended& unended) const;

  PicTracker pics_;
  std::vector<Unended> unended_;      // at most one for each in-service bit
  std::array<HalfEnd, 8> half_ends_;  // the last ones, by pin of the second 8259
  Misdirected misdirected_;           // the last one
  std::array<u64, 16>
      ended_at_apic_{};       // by line: the last request whose handler sent its EOI to a local APIC, in vain
  u64 off_since_ = 0;         // a live run: IF is 0 since then; 0: it is 1
  bool halted_deaf_ = false;  // HLT with IF=0
};

}  // namespace vitrine
