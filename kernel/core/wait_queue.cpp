#include "kernel/core/wait_queue.hpp"

#include "kernel/core/assert.hpp"
#include "kernel/core/critical.hpp"

namespace pulse {

WaitQueue::~WaitQueue() {
  while (first_ != nullptr) remove(*first_);
}

void WaitQueue::add(WaitEntry& entry) {
  PULSE_ASSERT(!entry.queued);
  const bool at_end = entry.kind == WaitEntry::Kind::Exclusive;
  entry.previous = at_end ? last_ : nullptr;
  entry.next = at_end ? nullptr : first_;
  (entry.previous != nullptr ? entry.previous->next : first_) = &entry;
  (entry.next != nullptr ? entry.next->previous : last_) = &entry;
  entry.queued = true;
}

void WaitQueue::remove(WaitEntry& entry) {
  if (!entry.queued) return;
  (entry.previous != nullptr ? entry.previous->next : first_) = entry.next;
  (entry.next != nullptr ? entry.next->previous : last_) = entry.previous;
  entry.queued = false;
}

bool WaitQueue::wake(u32 events) {
  const Critical critical;
  bool taken = false;
  WaitEntry* entry = first_;
  while (entry != nullptr) {
    WaitEntry* const next = entry->next;  // the entry may leave the queue
    const bool took = entry->woken(*entry, events);
    taken |= took;
    if (took && entry->kind == WaitEntry::Kind::Exclusive) break;
    entry = next;
  }
  return taken;
}

}  // namespace pulse
