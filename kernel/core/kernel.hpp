// The few things of which there is one.
#pragma once

#include "kernel/core/boot_info.hpp"
#include "kernel/core/interrupts.hpp"
#include "kernel/core/parameters.hpp"

namespace pulse {

struct Kernel {
  BootInfo boot;
  Parameters parameters;
  InterruptManager interrupts;
};
[[nodiscard]] Kernel& kernel();

/// Vector of line 0; the others follow.
inline constexpr u8 first_line_vector = 0x20;

}  // namespace pulse
