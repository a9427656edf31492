// A signal mask for the time of one call: ppoll, pselect, epoll_pwait.
#pragma once

#include "kernel/core/scheduler.hpp"
#include "kernel/core/signals.hpp"
#include "kernel/core/user_memory.hpp"

namespace pulse {

/// The mask at `address`, of `size` bytes. BadAddress; Invalid.
[[nodiscard]] inline Result<u64> read_mask(u64 address, u64 size) {
  if (size != sizeof(u64)) return fail(Errno::Invalid);
  return read_user<u64>(address);
}

/// While one lives, the thread has another signal mask; a handler that runs meanwhile sees the old one come back.
class OtherMask {
 public:
  explicit OtherMask(u64 mask) : thread_(current_thread()), before_(thread_.signal_mask) {
    thread_.signal_mask = mask & ~unblockable_signals;
  }
  ~OtherMask() {
    if (deliverable_signals(thread_) != 0) {
      thread_.saved_mask = before_;
      thread_.saved_mask_valid = true;
    } else {
      thread_.signal_mask = before_;
    }
  }
  OtherMask(const OtherMask&) = delete;
  OtherMask& operator=(const OtherMask&) = delete;

 private:
  Thread& thread_;
  u64 before_;
};

}  // namespace pulse
