#include "machine/core/event_queue.hpp"

#include <algorithm>

namespace vitrine {

namespace {
bool later(const Event& a, const Event& b) { return a.due != b.due ? a.due > b.due : a.sequence > b.sequence; }
constexpr std::size_t most_events = 4096;
}  // namespace

void EventQueue::schedule(Tick due, DeviceId device, u16 kind, u64 payload) {
  const Event event{due, next_sequence_++, device, kind, payload};
  events_.insert(std::ranges::upper_bound(events_, event, later), event);
}

void EventQueue::cancel(DeviceId device, u16 kind) {
  std::erase_if(events_, [&](const Event& event) { return event.device == device && event.kind == kind; });
}

bool EventQueue::pending(DeviceId device, u16 kind) const {
  return std::ranges::any_of(events_, [&](const Event& event) { return event.device == device && event.kind == kind; });
}

std::optional<Event> EventQueue::pop_due(Tick now) {
  if (events_.empty() || events_.back().due > now) return std::nullopt;
  const Event event = events_.back();
  events_.pop_back();
  return event;
}

void EventQueue::exchange(Archive& archive) {
  archive.section("events", 1);
  archive(next_sequence_);
  archive.sequence(events_, most_events);
  if (archive.loading() && !std::ranges::is_sorted(events_, later)) archive.refuse(Archive::Error::BadValue);
}

}  // namespace vitrine
