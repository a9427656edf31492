// On whose behalf a process runs, and what that may do to files and to other processes (credentials(7)).
#pragma once

#include <algorithm>
#include <vector>

#include "kernel/core/types.hpp"

namespace pulse {

struct Credentials {
  struct Ids {
    u32 real = 0, effective = 0, saved = 0;
    [[nodiscard]] bool has(u32 id) const { return id == real || id == effective || id == saved; }
  };
  Ids user, group;
  std::vector<u32> groups;  ///< supplementary
  static constexpr std::size_t most_groups = 64;

  [[nodiscard]] bool is_root() const { return user.effective == 0; }
  [[nodiscard]] bool is_in_group(u32 id) const {
    return id == group.effective || std::ranges::find(groups, id) != groups.end();
  }
};

/// access(2)'s numbers.
namespace permission {
inline constexpr u32 execute = 1, write = 2, read = 4;
}

/// A file's owner, as far as permissions go.
struct Ownership {
  u32 mode = 0, user = 0, group = 0;
};
/// Root may do all, but execute what nobody may.
[[nodiscard]] bool may(const Credentials& who, const Ownership& file, u32 wanted, bool is_directory);
/// In a directory with the sticky bit only owners take names away (unlink(2)).
[[nodiscard]] bool may_take_away(const Credentials& who, const Ownership& directory, const Ownership& file);
/// kill(2)'s rule, but for SIGCONT.
[[nodiscard]] bool may_signal(const Credentials& who, const Credentials& target);

}  // namespace pulse
