#pragma once

#include "kernel/arch/x86_64/frame.hpp"

namespace pulse {

/// A page fault: fills the page, or goes on at a fix-up, or makes it the program's SIGSEGV. False: it is the kernel's
/// own mistake.
[[nodiscard]] bool handle_page_fault(Frame& frame);

}  // namespace pulse
