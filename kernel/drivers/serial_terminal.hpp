// /dev/ttyS0 and, by default, /dev/console: a terminal on the first serial port. What is typed comes by interrupt.
#pragma once

#include "kernel/core/kernel.hpp"

namespace pulse {

/// Makes the device nodes' openers known and takes line 4.
void start_serial_terminal();

}  // namespace pulse
