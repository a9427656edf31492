#include "kernel/core/run_queue.hpp"

#include <bit>

#include "kernel/core/assert.hpp"

namespace pulse {

void RunQueue::add_last(RunEntry& entry) {
  PULSE_ASSERT(!entry.queued);
  List& list = lists_[entry.priority];
  entry.previous = list.last;
  entry.next = nullptr;
  (list.last != nullptr ? list.last->next : list.first) = &entry;
  list.last = &entry;
  entry.queued = true;
  ++size_;
  waiting_ |= u32{1} << entry.priority;
}

void RunQueue::remove(RunEntry& entry) {
  PULSE_ASSERT(entry.queued);
  List& list = lists_[entry.priority];
  (entry.previous != nullptr ? entry.previous->next : list.first) = entry.next;
  (entry.next != nullptr ? entry.next->previous : list.last) = entry.previous;
  entry.queued = false;
  --size_;
  if (list.first == nullptr) waiting_ &= ~(u32{1} << entry.priority);
}

RunEntry* RunQueue::first() const { return waiting_ == 0 ? nullptr : lists_[std::countr_zero(waiting_)].first; }

}  // namespace pulse
