// Times as programs give them: struct timespec and struct timeval.
#pragma once

#include <algorithm>

#include "kernel/core/user_memory.hpp"

namespace pulse {

inline constexpr u64 second = 1'000'000'000, millisecond = 1'000'000, microsecond = 1'000;

/// struct timespec; where it is a struct timeval, its parts are microseconds.
struct TimeSpecification {
  i64 seconds = 0, parts = 0;
};
enum class TimeParts : u64 { Nanoseconds = 1, Microseconds = microsecond };

/// In nanoseconds; what lies too far off is brought to where sums don't overflow (136 years). Invalid.
[[nodiscard]] inline Result<u64> nanoseconds_of(const TimeSpecification& time,
                                                TimeParts parts = TimeParts::Nanoseconds) {
  constexpr i64 longest = i64{1} << 32;
  const u64 length = static_cast<u64>(parts);
  const bool sound = time.seconds >= 0 && time.parts >= 0 && static_cast<u64>(time.parts) < second / length;
  if (!sound) return fail(Errno::Invalid);
  return static_cast<u64>(std::min(time.seconds, longest)) * second + static_cast<u64>(time.parts) * length;
}

[[nodiscard]] inline Result<u64> read_time(u64 address, TimeParts parts = TimeParts::Nanoseconds) {
  const auto time = read_user<TimeSpecification>(address);
  if (!time) return fail(time.error());
  return nanoseconds_of(*time, parts);
}

[[nodiscard]] inline TimeSpecification specification_of(u64 nanoseconds, TimeParts parts = TimeParts::Nanoseconds) {
  return {static_cast<i64>(nanoseconds / second), static_cast<i64>(nanoseconds % second / static_cast<u64>(parts))};
}

}  // namespace pulse
