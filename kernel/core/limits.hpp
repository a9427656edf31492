// What a process may use: getrlimit(2). Kept for all sixteen; enforced are CPU, FileSize, Stack, OpenFiles and Space.
#pragma once

#include "kernel/core/result.hpp"

namespace pulse {

/// asm-generic/resource.h.
enum class Limited : u8 { Cpu = 0, FileSize = 1, Stack = 3, OpenFiles = 7, Space = 9 };

struct Limits {
  static constexpr u64 none = ~u64{0};
  static constexpr std::size_t count = 16;
  static constexpr u64 most_open_files = 4096;
  struct Limit {
    u64 now = none;   ///< what counts
    u64 most = none;  ///< what it may be set to by those who aren't root
  };
  /// As Linux gives them to its first process (asm-generic/resource.h).
  Limit of[count] = {{},
                     {},
                     {},
                     {u64{8} << 20, none},
                     {0, none},
                     {},
                     {512, 512},
                     {1024, most_open_files},
                     {u64{8} << 20, u64{8} << 20},
                     {},
                     {},
                     {512, 512},
                     {819'200, 819'200},
                     {0, 0},
                     {0, 0},
                     {}};

  [[nodiscard]] u64 now(Limited which) const { return of[static_cast<u8>(which)].now; }
  /// Invalid; PermissionDenied: only root raises the second number, and nobody that of files behind what a table holds.
  [[nodiscard]] Result<void> set(std::size_t which, const Limit& wanted, bool is_root) {
    Limit& limit = of[which];
    if (wanted.now > wanted.most) return fail(Errno::Invalid);
    if (wanted.most > limit.most && !is_root) return fail(Errno::PermissionDenied);
    const bool is_files = which == static_cast<std::size_t>(Limited::OpenFiles);
    if (is_files && wanted.most > most_open_files) return fail(Errno::PermissionDenied);
    limit = wanted;
    return {};
  }
};

}  // namespace pulse
