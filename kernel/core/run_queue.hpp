// Who may run: a list for each priority, first come first served. Pure.
#pragma once

#include <array>

#include "kernel/core/types.hpp"

namespace pulse {

/// What a thread needs to stand in a run queue.
struct RunEntry {
  static constexpr u8 priorities = 32;
  static constexpr u8 highest_priority = 0, normal_priority = 16, idle_priority = 31;
  RunEntry* previous = nullptr;
  RunEntry* next = nullptr;
  u8 priority = normal_priority;
  bool queued = false;
};

class RunQueue {
 public:
  void add_last(RunEntry& entry);
  void remove(RunEntry& entry);
  /// The one that should run: of the highest priority the one that waits longest. Null: nobody.
  [[nodiscard]] RunEntry* first() const;
  [[nodiscard]] bool empty() const { return waiting_ == 0; }
  [[nodiscard]] u32 size() const { return size_; }

 private:
  struct List {
    RunEntry* first = nullptr;
    RunEntry* last = nullptr;
  };
  std::array<List, RunEntry::priorities> lists_{};
  u32 waiting_ = 0;  // bit p: somebody waits with priority p
  u32 size_ = 0;
};

}  // namespace pulse
