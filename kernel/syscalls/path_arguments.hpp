// Paths and descriptors of directories, as arguments of calls.
#pragma once

#include "kernel/fs/node.hpp"
#include "kernel/fs/path.hpp"
#include "kernel/syscalls/call.hpp"

namespace pulse {

// linux/fcntl.h
inline constexpr i32 at_current_directory = -100;
inline constexpr u64 at_no_follow = 0x100, at_remove_directory = 0x200, at_empty_path = 0x1000;
/// The descriptor that stands for the current directory.
inline constexpr u64 here = static_cast<u64>(i64{at_current_directory});

[[nodiscard]] Result<Ref<Node>> directory_of(Call& call, u64 descriptor);
/// What a path names, seen from a descriptor (or the current directory).
[[nodiscard]] Result<Ref<Node>> node_at(Call& call, u64 descriptor, u64 path, LastLink last);

[[nodiscard]] inline bool is_read_only(const Node& node) {
  return node.file_system() != nullptr && node.file_system()->read_only();
}

}  // namespace pulse
