// The clock chip MC146818: the time of day at boot.
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

/// Seconds since 1970, as the chip's calendar says (taken as UTC, of this century).
[[nodiscard]] u64 read_rtc();

}  // namespace pulse
