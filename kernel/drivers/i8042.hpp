// The keyboard controller 8042 with keyboard and mouse (IBM PS/2 Hardware Interface Technical Reference).
//
// A key press on its way to whoever waits for it:
//   1. The keyboard sends a scan code; the controller keeps it in its output buffer and raises IRQ 1.
//   2. The interrupt controller turns the line into a vector and interrupts the CPU.
//   3. The CPU looks the vector up in the IDT and enters its stub (entry.S).
//   4. The manager asks the line's handlers: the top half below takes the byte out of the controller's buffer (which
//      lowers the line), keeps it, and marks the bottom half. EOI.
//   5. The bottom half, with interrupts on, makes characters of scan codes and gives them to the screen's terminal:
//   echo,
//      line discipline. A complete line wakes the reader that is blocked in read(2), poll(2) or epoll_wait(2).
//   6. The interrupted code goes on, or the reader at once, if it is of higher priority.
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

class Terminal;

/// By interrupt on lines 1 and 12; or, if `polled`, looked at by a timer, for comparison. No effect if there is no
/// such controller. Keys go to `terminal`, mouse packets to /dev/input/mice.
struct I8042Options {
  bool keyboard_polled = false, mouse_polled = false;
};
void start_i8042(Terminal& terminal, const I8042Options& options);

}  // namespace pulse
