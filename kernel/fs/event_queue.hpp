// An event queue: way C of waiting (epoll(7)).
//
// Each watched file has an entry in that file's wait queue. When it is called, the file joins the list of those that
// may be ready; a wait looks at the list, not at all files. Level-triggered files stay in the list while they are
// ready, edge-triggered ones come back only when they are called again, one-shot ones not before they are armed anew.
#pragma once

#include <span>
#include <vector>

#include "kernel/fs/file.hpp"

namespace pulse {

/// Bits of epoll_event::events beside those of `ready` (Linux, sys/epoll.h).
namespace watch_flag {
inline constexpr u32 exclusive = 1u << 28, wake_up = 1u << 29, one_shot = 1u << 30, edge = 1u << 31;
}

/// struct epoll_event of x86-64.
struct [[gnu::packed]] WatchEvent {
  u32 events = 0;
  u64 data = 0;
  bool operator==(const WatchEvent&) const = default;
};
static_assert(sizeof(WatchEvent) == 12);

class EventQueue;

/// A file that a queue watches.
struct WatchedFile : WaitEntry {
  EventQueue* queue = nullptr;
  File* file = nullptr;  ///< not owned: the file takes itself out when it ends
  /// The queue that it stands in. Asked again, a signalfd would name that of whoever runs then. It may have ended.
  WaitQueue* joined = nullptr;
  u32 descriptor = 0;
  WatchEvent wanted;
  bool armed = true;                    ///< a one-shot one is disarmed when it was told
  bool listed = false;                  ///< in the list of those that may be ready
  WatchedFile* next_watcher = nullptr;  ///< of the same file
};

class EventQueue final : public File {
 public:
  ~EventQueue() override;

  /// EPOLL_CTL_ADD, MOD, DEL. Exists, NoEntry, PermissionDenied (a file that can't be waited for), Invalid, Loop.
  [[nodiscard]] Result<void> add(u32 descriptor, File& file, const WatchEvent& event);
  [[nodiscard]] Result<void> change(u32 descriptor, const File& file, const WatchEvent& event);
  [[nodiscard]] Result<void> remove(u32 descriptor, const File& file);

  /// Puts into `events` what is ready now, and says how many that are; those that were told last go to the end of the
  /// line.
  [[nodiscard]] std::size_t take(std::span<WatchEvent> events);
  /// How many files it watches: take() never gives more.
  [[nodiscard]] std::size_t size() const { return files_.size(); }
  /// Would take() give something?
  [[nodiscard]] bool has_events() const;

  [[nodiscard]] u32 ready() const override { return has_events() ? pulse::ready::in : 0; }
  WaitQueue* wait_queue() override { return &changed_; }
  Result<u64> seek(i64, u32) override { return 0; }
  [[nodiscard]] const EventQueue* as_event_queue() const override { return this; }
  [[nodiscard]] EventQueue* as_event_queue() override { return this; }
  /// The file ends.
  void forget(WatchedFile& watched);

 private:
  static constexpr int most_nested = 4;
  static constexpr std::size_t most_files = 1024;
  [[nodiscard]] WatchedFile* find(u32 descriptor, const File& file) const;
  /// How many queues stand in one another below this one; `most_nested` + 1 if `forbidden` is among them.
  [[nodiscard]] int depth_below(const EventQueue& forbidden, u64 search) const;
  [[nodiscard]] int depth_above(u64 search) const;
  [[nodiscard]] static u32 found(const WatchedFile& watched);
  bool list(WatchedFile& watched);
  void list_if_ready(WatchedFile& watched);

  std::vector<WatchedFile*> files_;
  std::vector<WatchedFile*> listed_;  // first come, first told; has room for all of files_
  WaitQueue changed_;
  // What a search found here: each queue is looked at once, however many ways lead to it.
  mutable u64 searched_ = 0;
  mutable int found_depth_ = 0;
};

}  // namespace pulse
