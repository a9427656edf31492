// /dev/ttyS0: a terminal on the first serial port.
#pragma once

#include "kernel/drivers/uart16550.hpp"
#include "kernel/fs/terminal.hpp"

namespace pulse {

[[nodiscard]] Terminal& serial_terminal();
/// On `port`, by interrupt on line 4 or polled.
void start_serial_terminal(Uart16550& port, Uart16550::Service service);

}  // namespace pulse
