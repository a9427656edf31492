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
class Uart16550;
/// The first one: the log's, and /dev/ttyS0.
[[nodiscard]] Uart16550& serial_port();

/// Where the 8259s' lines go.
inline constexpr u8 first_8259_vector = 0x20;
/// Where the IBM PC's firmware puts them, and DOS leaves them: on the exceptions.
inline constexpr u8 default_8259_vector = 0x08;

}  // namespace pulse
