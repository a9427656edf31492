// The way back to ring 3.
#pragma once

#include "kernel/arch/x86_64/frame.hpp"

namespace pulse {

/// What must be done before a program goes on: another thread's turn, signals. Interrupts are off.
void return_to_program(Frame& frame);

}  // namespace pulse
