#include "kernel/fs/permissions.hpp"

namespace pulse {

namespace {
constexpr u32 set_group = 02000;
}

Result<void> give_owner(const Node& directory, Node& made) {
  const Credentials& who = current_process().credentials;
  const bool inherits = (directory.mode & set_group) != 0;
  const u32 group = inherits ? directory.group : who.group.effective;
  const u32 mode = made.mode | (inherits && made.is(node_mode::directory) ? set_group : 0);
  if (made.user == who.user.effective && made.group == group && made.mode == mode) return {};
  made.user = who.user.effective;
  made.group = group;
  made.mode = mode;
  return made.attributes_changed();
}

Result<void> check_adding(Node& directory, std::string_view name) {
  if (is_allowed(directory, permission::write | permission::execute)) return {};
  return directory.look_up(name) ? Result<void>() : fail(Errno::AccessDenied);
}

Result<void> check_removing(Node& directory, std::string_view name) {
  const bool may_write = is_allowed(directory, permission::write | permission::execute);
  const Credentials& who = current_process().credentials;
  if (may_write && who.is_root()) return {};
  const auto node = directory.look_up(name);
  if (!node) return {};
  if (!may_write) return fail(Errno::AccessDenied);
  const bool may_take = may_take_away(who, ownership_of(directory), ownership_of(**node));
  return may_take ? Result<void>() : fail(Errno::PermissionDenied);
}

}  // namespace pulse
