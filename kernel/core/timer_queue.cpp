#include "kernel/core/timer_queue.hpp"

namespace pulse {

void TimerQueue::put(std::size_t index, Timer& timer) {
  heap_[index] = &timer;
  timer.index = index;
}

void TimerQueue::rise(std::size_t index) {
  Timer& timer = *heap_[index];
  while (index > 0 && heap_[(index - 1) / 2]->due > timer.due) {
    put(index, *heap_[(index - 1) / 2]);
    index = (index - 1) / 2;
  }
  put(index, timer);
}

void TimerQueue::sink(std::size_t index) {
  Timer& timer = *heap_[index];
  for (;;) {
    std::size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->due < heap_[child]->due) ++child;
    if (heap_[child]->due >= timer.due) break;
    put(index, *heap_[child]);
    index = child;
  }
  put(index, timer);
}

void TimerQueue::add(Timer& timer, u64 due) {
  remove(timer);
  timer.due = due;
  heap_.push_back(&timer);
  timer.index = heap_.size() - 1;
  rise(timer.index);
  if (timer.index == 0 && sooner != nullptr) sooner();
}

void TimerQueue::remove(Timer& timer) {
  if (!timer.is_set()) return;
  const std::size_t index = timer.index;
  timer.index = Timer::out;
  Timer* const last = heap_.back();
  heap_.pop_back();
  if (last == &timer) return;
  put(index, *last);
  rise(index);
  sink(last->index);
}

void TimerQueue::expire(u64 now) {
  while (next_due() <= now) {
    Timer& timer = *heap_.front();
    remove(timer);
    timer.expired(timer, now);
  }
}

}  // namespace pulse
