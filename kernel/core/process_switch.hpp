// What changes with the program when the CPU goes from one thread to another: address space, FS base, FPU registers.
#pragma once

#include "kernel/core/thread.hpp"

namespace pulse {

class AddressSpace;

void switch_program(Thread& before, Thread& next);

/// From now on this CPU sees it; null: only the kernel.
void use_address_space(AddressSpace* space);

}  // namespace pulse
