// What changes with the program when the CPU goes from one thread to another: address space, FS base, FPU registers.
#pragma once

#include "kernel/core/thread.hpp"

namespace pulse {

void switch_program(Thread& before, Thread& next);

}  // namespace pulse
