#include "kernel/fs/event_queue.hpp"

#include <algorithm>

#include "kernel/core/critical.hpp"

namespace pulse {

namespace {

constexpr u32 always_told = ready::error | ready::hang_up;
constexpr u32 event_bits = 0xFFFF;

void unlink_watcher(WatchedFile& watched) {
  WatchedFile** place = &watched.file->watchers;
  while (*place != &watched) place = &(*place)->next_watcher;
  *place = watched.next_watcher;
}

bool is_sound(const WatchEvent& event) {
  // Exclusive goes with few others (epoll_ctl(2)).
  constexpr u32 with_exclusive =
      ready::in | ready::out | always_told | watch_flag::wake_up | watch_flag::edge | watch_flag::exclusive;
  return (event.events & watch_flag::exclusive) == 0 || (event.events & ~with_exclusive) == 0;
}

}  // namespace

void File::last_owner_left() {
  while (watchers != nullptr) watchers->queue->forget(*watchers);
}

EventQueue::~EventQueue() {
  while (!files_.empty()) forget(*files_.back());
}

void EventQueue::forget(WatchedFile& watched) {
  {
    const Critical critical;
    watched.joined->remove(watched);
    unlink_watcher(watched);
    std::erase(files_, &watched);
    std::erase(listed_, &watched);
  }
  delete &watched;
}

WatchedFile* EventQueue::find(u32 descriptor, const File& file) const {
  const auto place = std::ranges::find_if(
      files_, [&](const WatchedFile* watched) { return watched->descriptor == descriptor && watched->file == &file; });
  return place != files_.end() ? *place : nullptr;
}

int EventQueue::depth_below(const EventQueue& forbidden, u64 search) const {
  if (this == &forbidden) return most_nested + 1;
  if (searched_ == search) return found_depth_;
  int depth = 0;
  for (const WatchedFile* watched : files_) {
    const EventQueue* const inner = watched->file->as_event_queue();
    if (inner != nullptr) depth = std::max(depth, inner->depth_below(forbidden, search) + 1);
  }
  searched_ = search;
  return found_depth_ = depth;
}

int EventQueue::depth_above(u64 search) const {
  if (searched_ == search) return found_depth_;
  int depth = 0;
  for (const WatchedFile* watcher = watchers; watcher != nullptr; watcher = watcher->next_watcher) {
    depth = std::max(depth, watcher->queue->depth_above(search) + 1);
  }
  searched_ = search;
  return found_depth_ = depth;
}

u32 EventQueue::found(const WatchedFile& watched) {
  if (!watched.armed) return 0;
  return watched.file->ready() & ((watched.wanted.events & event_bits) | always_told);
}

/// False if it stands in the list already.
bool EventQueue::list(WatchedFile& watched) {
  if (watched.listed) return false;
  watched.listed = true;
  listed_.push_back(&watched);
  return true;
}

void EventQueue::list_if_ready(WatchedFile& watched) {
  const Critical critical;
  if (found(watched) == 0) return;
  list(watched);
  changed_.wake(pulse::ready::in);
}

Result<void> EventQueue::add(u32 descriptor, File& file, const WatchEvent& event) {
  if (&file == this || !is_sound(event)) return fail(Errno::Invalid);
  if (file.wait_queue() == nullptr) return fail(Errno::PermissionDenied);
  if (find(descriptor, file) != nullptr) return fail(Errno::Exists);
  if (const EventQueue* const inner = file.as_event_queue(); inner != nullptr) {
    if ((event.events & watch_flag::exclusive) != 0) return fail(Errno::Invalid);
    static u64 searches = 0;
    const int below = inner->depth_below(*this, ++searches);
    if (below + 1 + depth_above(++searches) > most_nested) return fail(Errno::Loop);
  }
  if (files_.size() >= most_files) return fail(Errno::NoSpace);
  auto* watched = new WatchedFile;
  watched->queue = this;
  watched->file = &file;
  watched->descriptor = descriptor;
  watched->wanted = event;
  watched->kind = (event.events & watch_flag::exclusive) != 0 ? WaitEntry::Kind::Exclusive : WaitEntry::Kind::Shared;
  watched->woken = [](WaitEntry& self, u32 events) {
    auto& item = static_cast<WatchedFile&>(self);
    const bool wanted = item.armed && (events & ((item.wanted.events & event_bits) | always_told)) != 0;
    if (!wanted) return false;
    item.queue->list(item);
    return item.queue->changed_.wake(pulse::ready::in);
  };
  watched->joined = file.wait_queue();
  files_.push_back(watched);
  watched->next_watcher = file.watchers;
  file.watchers = watched;
  {
    const Critical critical;
    listed_.reserve(files_.size());  // so that listing, in a bottom half, allocates nothing
    watched->joined->add(*watched);
  }
  list_if_ready(*watched);
  return {};
}

Result<void> EventQueue::change(u32 descriptor, const File& file, const WatchEvent& event) {
  WatchedFile* const watched = find(descriptor, file);
  if (watched == nullptr) return fail(Errno::NoEntry);
  const bool exclusive = ((event.events | watched->wanted.events) & watch_flag::exclusive) != 0;
  if (exclusive) return fail(Errno::Invalid);
  {
    const Critical critical;
    watched->wanted = event;
    watched->armed = true;
  }
  list_if_ready(*watched);
  return {};
}

Result<void> EventQueue::remove(u32 descriptor, const File& file) {
  WatchedFile* const watched = find(descriptor, file);
  if (watched == nullptr) return fail(Errno::NoEntry);
  forget(*watched);
  return {};
}

bool EventQueue::has_events() const {
  const Critical critical;
  return std::ranges::any_of(listed_, [](const WatchedFile* watched) { return found(*watched) != 0; });
}

std::size_t EventQueue::take(std::span<WatchEvent> events) {
  const Critical critical;
  std::size_t count = 0;
  for (std::size_t left = listed_.size(); left > 0 && count < events.size(); --left) {
    WatchedFile& watched = *listed_.front();
    listed_.erase(listed_.begin());
    watched.listed = false;
    const u32 now = found(watched);
    if (now == 0) continue;
    events[count++] = {now, watched.wanted.data};
    if ((watched.wanted.events & watch_flag::one_shot) != 0) {
      watched.armed = false;
    } else if ((watched.wanted.events & watch_flag::edge) == 0) {
      list(watched);
    }
  }
  return count;
}

}  // namespace pulse
