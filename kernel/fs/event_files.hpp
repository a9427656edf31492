// eventfd(2), timerfd_create(2) and signalfd(2): events as files, so that all three ways of waiting serve them.
#pragma once

#include "kernel/core/timer_queue.hpp"
#include "kernel/fs/file.hpp"

namespace pulse {

/// A counter that a write adds to and a read takes.
class EventCounter final : public File {
 public:
  enum class Reads : u8 { All, One };  ///< EFD_SEMAPHORE: one at a time
  EventCounter(u64 initial, Reads reads) : count_(initial), reads_(reads) {}
  Result<std::size_t> read(IoBuffer& into) override;
  Result<std::size_t> write(IoBuffer& from) override;
  [[nodiscard]] u32 ready() const override;
  WaitQueue* wait_queue() override { return &changed_; }
  Result<u64> seek(i64, u32) override { return 0; }  // as Linux's, which has no position either

 private:
  static constexpr u64 most = ~u64{0} - 1;
  u64 count_;
  Reads reads_;
  WaitQueue changed_;
};

/// A timer; a read takes the number of times that it has run out.
class TimerFile final : public File {
 public:
  /// `queue`'s times are those of this timer's clock plus `offset`.
  TimerFile(TimerQueue& queue, u64 offset) : queue_(&queue), offset_(offset) { timer_.file = this; }
  ~TimerFile() override;
  /// First at `due` (in the queue's time; 0: never), then every `period` (0: only once).
  void set(u64 due, u64 period);
  [[nodiscard]] u64 due() const { return timer_.is_set() ? timer_.due : 0; }
  [[nodiscard]] u64 period() const { return period_; }
  [[nodiscard]] u64 offset() const { return offset_; }
  Result<std::size_t> read(IoBuffer& into) override;
  [[nodiscard]] u32 ready() const override { return expirations_ > 0 ? pulse::ready::in : 0; }
  WaitQueue* wait_queue() override { return &changed_; }
  Result<u64> seek(i64, u32) override { return 0; }
  [[nodiscard]] TimerFile* as_timer() override { return this; }

 private:
  struct Own : Timer {
    TimerFile* file = nullptr;
  };
  TimerQueue* queue_;
  u64 offset_;
  Own timer_;
  u64 period_ = 0, expirations_ = 0;
  WaitQueue changed_;
};

/// Signals that the running process would get.
class SignalSource {
 public:
  struct Signal {
    u32 number = 0;  ///< 0: none
    i32 code = 0;
    u32 sender = 0;
  };
  /// The lowest pending signal of the mask (bit n-1: signal n), taken away.
  virtual Signal take(u64 mask) = 0;
  [[nodiscard]] virtual bool pending(u64 mask) const = 0;
  [[nodiscard]] virtual WaitQueue& arrived() = 0;

 protected:
  ~SignalSource() = default;
};

class SignalFile final : public File {
 public:
  SignalFile(SignalSource& source, u64 mask) : source_(&source), mask_(mask) {}
  void set_mask(u64 mask) { mask_ = mask; }
  Result<std::size_t> read(IoBuffer& into) override;
  [[nodiscard]] u32 ready() const override { return source_->pending(mask_) ? pulse::ready::in : 0; }
  WaitQueue* wait_queue() override { return &source_->arrived(); }
  Result<u64> seek(i64, u32) override { return 0; }
  [[nodiscard]] SignalFile* as_signals() override { return this; }

 private:
  SignalSource* source_;
  u64 mask_;
};

}  // namespace pulse
