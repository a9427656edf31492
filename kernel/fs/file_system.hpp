// A file system: what all nodes of one tree have in common.
#pragma once

#include <string_view>

#include "kernel/core/ref.hpp"
#include "kernel/core/result.hpp"

namespace pulse {

class Node;

/// What statfs(2) tells.
struct FileSystemUse {
  u64 magic = 0;  ///< Linux's number for the type (linux/magic.h)
  u64 block_bytes = 4096;
  u64 blocks = 0, free_blocks = 0, available_blocks = 0;  ///< available: without those that are kept for root
  u64 files = 0, free_files = 0;                          ///< inodes
};

class FileSystem : public Shared {
 public:
  FileSystem() : number(++newest_) {}
  const u32 number;  ///< st_dev of its nodes

  [[nodiscard]] virtual FileSystemUse use() = 0;
  /// All that was written is where it will last.
  [[nodiscard]] virtual Result<void> sync() { return {}; }
  [[nodiscard]] virtual bool read_only() const { return false; }
  /// From now on read only, or writable. ReadOnly: it can't be written. Busy: something is still to be written.
  [[nodiscard]] virtual Result<void> set_read_only(bool) { return {}; }
  /// Somebody has a node of it, or more than `owners` have its root: a process stands there, has a file open or mapped
  /// or is about to, or another file system is mounted on it.
  [[nodiscard]] virtual bool is_in_use(const Node& root, u32 owners) const = 0;

 private:
  static inline u32 newest_ = 0;
};

}  // namespace pulse
