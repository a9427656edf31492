// setrlimit(2)'s limit on the size of files.
#pragma once

#include "kernel/fs/node.hpp"

namespace pulse {

/// How many of `count` bytes from `offset` on may be written to the node; the others are behind the limit. FileTooBig,
/// and the signal that goes with it: none of them.
[[nodiscard]] Result<u64> allowed_bytes(const Node* node, u64 offset, u64 count);
/// The file may become so long: FileTooBig, and the signal.
[[nodiscard]] Result<void> check_file_size(const Node& node, u64 size);

}  // namespace pulse
