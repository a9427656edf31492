// /dev/ttyS0 and /dev/ttyS1: terminals on the serial ports.
#pragma once

#include "kernel/drivers/uart16550.hpp"
#include "kernel/fs/terminal.hpp"

namespace pulse {

/// `number` 0: COM1, on line 4; 1: COM2, on line 3. By interrupt, or polled.
void start_serial_terminal(u32 number, Uart16550& port, Uart16550::Service service);

}  // namespace pulse
