// Keeps the guest's clock from running ahead of the clock on the wall.
#pragma once

#include "base/types.hpp"

namespace vitrine {

/// Monotonic nanoseconds of the host.
[[nodiscard]] u64 wall_nanoseconds();
/// Seconds since 1970 of the host.
[[nodiscard]] u64 wall_unix_seconds();

/// Says how long to sleep. The guest may fall behind (it has much to do): it is then not made to catch up, since that
/// would be seen as a guest whose idle seconds fly by.
class Pacer {
 public:
  static constexpr u64 tolerated_lag = 20'000'000;

  Pacer(u64 wall, u64 guest) : wall_(wall), guest_(guest) {}

  /// Both clocks in nanoseconds. How long the guest must wait for the wall; 0 if it is behind.
  u64 wait_for(u64 wall, u64 guest) {
    const u64 due = wall_ + (guest - guest_);
    if (due >= wall) return due - wall;
    if (wall - due > tolerated_lag) {
      wall_ = wall;
      guest_ = guest;
    }
    return 0;
  }

 private:
  u64 wall_;   // a moment of the wall ...
  u64 guest_;  // ... and the guest's time at it
};

}  // namespace vitrine
