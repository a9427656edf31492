#include "kernel/core/credentials.hpp"

namespace pulse {

namespace {
constexpr u32 sticky = 01000, executable = 0111;
}

bool may(const Credentials& who, const Ownership& file, u32 wanted, bool is_directory) {
  if (who.is_root()) return (wanted & permission::execute) == 0 || is_directory || (file.mode & executable) != 0;
  const u32 shift = file.user == who.user.effective ? 6 : who.is_in_group(file.group) ? 3 : 0;
  return ((file.mode >> shift) & wanted) == wanted;
}

bool may_take_away(const Credentials& who, const Ownership& directory, const Ownership& file) {
  return (directory.mode & sticky) == 0 || who.is_root() || who.user.effective == file.user ||
         who.user.effective == directory.user;
}

bool may_signal(const Credentials& who, const Credentials& target) {
  const auto is_targets = [&](u32 id) { return id == target.user.real || id == target.user.saved; };
  return who.is_root() || is_targets(who.user.real) || is_targets(who.user.effective);
}

}  // namespace pulse
