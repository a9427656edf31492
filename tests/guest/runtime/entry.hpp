// For entries of interrupts that are written in assembly for both widths. A naked function with a statement for each
// instruction has a source line for each.
#pragma once

#include "tests/guest/runtime/guest.hpp"

#if GUEST_64
#define R "r"  // "%" R "ax" is RAX or EAX
#define WORD_BYTES "8"
#define IRET "iretq"
#else
#define R "e"
#define WORD_BYTES "4"
#define IRET "iret"
#endif

/// Makes the code behind a gate.
inline void set_entry(u8 vector, void (*entry)()) { set_gate_target(vector, reinterpret_cast<const void*>(entry)); }
