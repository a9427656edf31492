// A rule that compares what an interrupt found with what its handler gives back.
#pragma once

#include <optional>

#include "observe/check/live_frames.hpp"
#include "observe/check/rule.hpp"

namespace vitrine {

/// `Kept` is what is remembered from the delivery to the return.
template <class Kept>
class FrameRule : public Rule {
 public:
  using Rule::Rule;
  using Frame = typename LiveFrames<Kept>::Frame;

  void delivered(const Cpu& cpu, const ProbedDelivery& delivery) final {
    Frame& frame = frames_.push(cpu, delivery);
    code_size_ = cpu.mode.code_size();
    if (frame.words_known && within_kernel_phase(cpu, delivery)) entered(cpu, frame);
  }
  void returning(const Cpu& cpu, const ProbedReturn& iret) final {
    leaving_.reset();
    const Frame* frame = frames_.match(cpu, iret);
    if (frame == nullptr) return;
    FrameWords words;
    const bool known = frame->words_known && iret.operand_size == frame->delivery.slot_size &&
                       peek_words(cpu, iret.frame, iret.operand_size, frame->pushed.count, words);
    leaving_ = Leaving{.frame = frame->delivery.frame,
                       .unedited = known && words.same_context(frame->pushed),
                       .code_size = cpu.mode.code_size()};
  }
  void returned(const Cpu& cpu, const ProbedReturn& iret) final {
    Frame* frame = leaving_ ? frames_.find(leaving_->frame) : nullptr;
    if (frame == nullptr) return frames_.left_otherwise();
    // The same frame address in another address space is another thread's.
    if (leaving_->unedited && frame->cr3 == cpu.state.cr3) {
      code_size_ = leaving_->code_size;
      given_back(cpu, iret, *frame);
    }
    frames_.leave(*frame);
    leaving_.reset();
  }
  void left_kernel(const Cpu&, u64 /*instruction*/) final { frames_.left_otherwise(); }

 protected:
  /// A frame has been pushed, within the kernel phase.
  virtual void entered(const Cpu& cpu, Frame& frame) = 0;
  /// IRET has gone back to where the frame came from; nobody changed its instruction pointer, CS or stack.
  virtual void given_back(const Cpu& cpu, const ProbedReturn& iret, Frame& frame) = 0;

  [[nodiscard]] bool other_ran(const Frame& frame) const { return frames_.other_ran(frame); }
  /// Of the handler's code (CodeMode).
  [[nodiscard]] u8 handler_code_size() const { return code_size_; }

 private:
  struct Leaving {
    u64 frame = 0;
    bool unedited = false;
    u8 code_size = 0;
  };
  LiveFrames<Kept> frames_;
  std::optional<Leaving> leaving_;
  u8 code_size_ = 0;
};

}  // namespace vitrine
