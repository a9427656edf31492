// Instructions of the kernel that touch a program's memory, and where each goes on if it may not (user_copy.S).
#pragma once

#include "kernel/arch/x86_64/frame.hpp"

namespace pulse {

/// Makes the frame of a fault go on there. False: no such instruction is to blame.
[[nodiscard]] bool fix_up(Frame& frame);

}  // namespace pulse
