// Random numbers for programs: SplitMix64, seeded from RDRAND where there is one, else from the time stamp counter.
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

[[nodiscard]] u64 random_number();

}  // namespace pulse
