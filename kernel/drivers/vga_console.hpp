// The VGA's text screen as a place for the log and as a terminal, /dev/tty1 (IBM VGA: text mode 3, memory at B8000h).
#pragma once

#include "kernel/core/log.hpp"
#include "kernel/fs/terminal.hpp"

namespace pulse {

/// Of the one screen. Clears it at the first call.
[[nodiscard]] Console& screen_console();
[[nodiscard]] Terminal& screen_terminal();
/// Makes /dev/tty0 and /dev/tty1 known.
void start_screen_terminal();

}  // namespace pulse
