#include "kernel/syscalls/file_room.hpp"

#include <algorithm>

#include "kernel/core/process.hpp"
#include "kernel/core/signals.hpp"

namespace pulse {

namespace {
std::unexpected<Errno> refuse() {
  send_thread_signal(current_thread(), signal::file_size);
  return fail(Errno::FileTooBig);
}
}  // namespace

Result<u64> allowed_bytes(const Node* node, u64 offset, u64 count) {
  const u64 limit = current_process().limits.now(Limited::FileSize);
  if (limit == Limits::none || node == nullptr || !node->is(node_mode::regular) || count == 0) return count;
  if (offset >= limit) return refuse();
  return std::min(count, limit - offset);
}

Result<void> check_file_size(const Node& node, u64 size) {
  if (size <= current_process().limits.now(Limited::FileSize) || size <= node.size) return {};
  return refuse();
}

}  // namespace pulse
