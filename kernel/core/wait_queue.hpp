// The one mechanism by which anybody waits for anything: a blocked reader, poll and epoll stand in the same queues.
//
// An entry is called when what it waits for may have happened. It says whether it took the wake-up; exclusive entries
// share one: the first that takes it keeps it from the others. Pure; callers of add() and remove() hold interrupts off.
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

/// What may have happened; the numbers are those of poll(2) and epoll(7).
namespace ready {
inline constexpr u32 in = 0x001, priority = 0x002, out = 0x004, error = 0x008, hang_up = 0x010, invalid = 0x020,
                     read_normal = 0x040, write_normal = 0x100, read_hang_up = 0x2000;
inline constexpr u32 all = ~u32{0};
}  // namespace ready

struct WaitEntry {
  /// True: it took the wake-up (a thread that was asleep now runs). `events` are those that may have come about.
  bool (*woken)(WaitEntry& self, u32 events) = nullptr;
  enum class Kind : u8 { Shared, Exclusive } kind = Kind::Shared;
  WaitEntry* previous = nullptr;
  WaitEntry* next = nullptr;
  bool queued = false;
};

class WaitQueue {
 public:
  WaitQueue() = default;
  /// Those that still stand in it do so no longer.
  ~WaitQueue();
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  /// An entry leaves before it ends. Shared entries stand before exclusive ones, so that all of them are called.
  void add(WaitEntry& entry);
  /// No effect if it stands in no queue.
  void remove(WaitEntry& entry);
  /// Calls all shared entries, and exclusive ones until one takes it, with interrupts off. True if somebody did.
  bool wake(u32 events);
  [[nodiscard]] bool empty() const { return first_ == nullptr; }

 private:
  WaitEntry* first_ = nullptr;
  WaitEntry* last_ = nullptr;
};

}  // namespace pulse
