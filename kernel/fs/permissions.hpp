// What the running process may do to nodes. The kernel's own threads may do all.
#pragma once

#include "kernel/core/credentials.hpp"
#include "kernel/core/process.hpp"
#include "kernel/fs/node.hpp"

namespace pulse {

[[nodiscard]] inline Ownership ownership_of(const Node& node) { return {node.mode, node.user, node.group}; }

[[nodiscard]] inline bool is_allowed(const Node& node, u32 wanted) {
  const Process* const process = current_thread().process;
  return process == nullptr || may(process->credentials, ownership_of(node), wanted, node.is(node_mode::directory));
}

/// The running process owns it, or is root.
[[nodiscard]] inline bool is_owner(const Node& node) {
  const Credentials& who = current_process().credentials;
  return who.is_root() || who.user.effective == node.user;
}

/// A node that the running process just made in `directory` gets its owner.
[[nodiscard]] Result<void> give_owner(const Node& directory, Node& made);

/// Names may be added to it. A name that is there already is another error, and the caller's.
[[nodiscard]] Result<void> check_adding(Node& directory, std::string_view name);
/// The name may be taken away. One that is not there is another error, and the caller's.
[[nodiscard]] Result<void> check_removing(Node& directory, std::string_view name);

/// For what only root may do.
[[nodiscard]] inline Result<void> check_root() {
  if (!current_process().credentials.is_root()) return fail(Errno::PermissionDenied);
  return {};
}

}  // namespace pulse
