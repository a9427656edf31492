#include "kernel/core/futex.hpp"

#include <algorithm>
#include <vector>

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/core/user_memory.hpp"

namespace pulse {

namespace {

struct Waiting {
  FutexWord word;
  u32 bits;
  bool woken;
  WaitQueue queue;
};
// First come, first served. Programs that wait are few; a table by hash would be the next step.
std::vector<Waiting*> waiting;

}  // namespace

Result<FutexWord> futex_word(AddressSpace& space, u64 address, FutexScope scope) {
  if (address % sizeof(u32) != 0) return fail(Errno::Invalid);
  const Area* const area = scope == FutexScope::AnyProcess ? space.area_at(address) : nullptr;
  if (area == nullptr || !area->shared) return FutexWord{&space, address};
  return FutexWord{area->node.get(), area->node_offset + (address - area->begin), area->node};
}

Result<void> futex_wait(const FutexWord& word, u64 address, u32 expected, u64 deadline, u32 bits) {
  if (bits == 0) return fail(Errno::Invalid);
  deadline = kept_deadline_or(deadline);
  const PreemptionOff alone;
  const auto value = read_user<u32>(address);
  if (!value) return fail(value.error());
  if (*value != expected) return fail(Errno::TryAgain);
  Waiting self{word, bits, false, {}};
  waiting.push_back(&self);
  const WaitResult result = wait_until(self.queue, [&] { return self.woken; }, deadline);
  std::erase(waiting, &self);
  if (self.woken || result == WaitResult::Ready) return {};
  if (result == WaitResult::TimedOut) return fail(Errno::TimedOut);
  if (deadline == TimerQueue::never) return fail(Errno::RestartAlways);
  keep_deadline(deadline);
  return fail(Errno::RestartNoHandler);
}

Result<u32> futex_wake(const FutexWord& word, u32 most, u32 bits) {
  if (bits == 0) return fail(Errno::Invalid);
  const InterruptsOff off;
  u32 count = 0;
  for (Waiting* waiter : waiting) {
    if (count == most) break;
    if (waiter->woken || waiter->word != word || (waiter->bits & bits) == 0) continue;
    waiter->woken = true;
    waiter->queue.wake(ready::all);
    ++count;
  }
  return count;
}

Result<u32> futex_requeue(const FutexWord& word, u32 most, u32 moved, const FutexWord& to) {
  const auto woken = futex_wake(word, most);
  if (!woken) return woken;
  const u32 count = *woken;
  u32 left = moved;
  for (Waiting* waiter : waiting) {
    if (left == 0) break;
    if (waiter->woken || waiter->word != word) continue;
    waiter->word = to;
    --left;
  }
  return count + (moved - left);
}

}  // namespace pulse
