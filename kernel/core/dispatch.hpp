// The way back to ring 3.
#pragma once

#include "kernel/arch/x86_64/frame.hpp"

namespace pulse {

/// Leaves the kernel after what must be done before a program goes on: another thread's turn, signals. Interrupts are
/// off.
void leave_to_program(Frame& frame);

/// Performs the system call that the frame asks for, with x86-64's numbers and registers, whichever gate it came by.
void serve_system_call(Frame& frame);

}  // namespace pulse
