// stale-tss-stack and stack-collision: frames that are pushed over what somebody will still need.
//
// Pushing over something is only remembered. It is reported when the damaged thing is used: a context is switched to
// whose stack was overwritten while it waited, or an IRET pops a frame that was pushed over another.
#pragma once

#include <map>
#include <vector>

#include "observe/check/live_frames.hpp"
#include "observe/check/rule.hpp"

namespace vitrine {

class StackRules final : public Rule {
 public:
  using Rule::Rule;
  void consume(const Record& record) override;
  [[nodiscard]] RecordKinds record_kinds() const override {
    return record_kinds_of(RecordKind::DeliveryFailed, RecordKind::Exception);
  }
  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) override;
  void returning(const Cpu& cpu, const ProbedReturn& iret) override;
  void returned(const Cpu& cpu, const ProbedReturn& iret) override;
  void stack_switched(const Cpu& cpu, u64 instruction, u64 from, u64 to) override;

  static constexpr u32 nest_max = 8;  ///< handlers of asynchronous vectors inside one another

 private:
  struct Frame {
    ProbedDelivery delivery;
    FrameWords pushed;
    u64 handler = 0;
    u64 order = 0;
    u32 depth = 0;     ///< handlers of asynchronous vectors on this stack, this one included
    u64 switches = 0;  ///< switches of stacks before it
    u64 over_it = 0;   ///< order of the last frame that was pushed over it; 0: it is whole
    FrameWords words_over_it;
    u8 ist_over_it = 0;
    u8 vector_over_it = 0;
    u64 instruction_over_it = 0;  ///< that was interrupted then
    [[nodiscard]] u64 low() const { return delivery.frame - (delivery.has_error_code ? delivery.slot_size : 0); }
    [[nodiscard]] u64 high() const { return delivery.frame + u64{delivery.slots} * delivery.slot_size; }
  };
  /// The stack of a context that waits: from its stack pointer up to the end of the frame by which it will leave the
  /// kernel.
  struct Waiting {
    u64 low = 0, high = 0;
    u64 switched_at = 0;  ///< the instruction that switched away
    u64 base_order = 0;   ///< of the frame at its upper end
    // What was pushed over it; request 0: nothing.
    u64 request = 0;
    u64 frame = 0;
    u64 interrupted = 0;
    u8 vector = 0;
    bool by_tss = false;
  };

  Frame* newest_at(u64 address);
  /// The frame that the stack at `pointer` hangs from.
  const Frame* base_of(u64 pointer) const;
  void overwrite(const Frame& fresh);
  void leave(u64 order);
  void resumed(u64 instruction, u64 to);
  void check_depth(const Frame& fresh);
  void report_collision(const Frame& frame, const ProbedReturn& iret);
  void report_waiting(const Waiting& waiting, u64 instruction);

  static constexpr std::size_t most_frames = 128, most_waiting = 64;
  static constexpr u64 deepest_stack = 0x8000;
  std::vector<Frame> frames_;     ///< in order of their pushes
  std::vector<Waiting> waiting_;  ///< in order of the switches
  u64 order_ = 0;
  u64 switches_ = 0;  ///< of stacks, so far
  u64 leaving_ = 0;   ///< order of the frame that the IRET at hand leaves
  Record failed_{};   ///< the last DeliveryFailed, for the exception that comes of it
};

}  // namespace vitrine
