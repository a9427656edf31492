// The 32 exceptions: who handles one, and what its error code means (SDM vol. 3A §6.15).
#pragma once

#include <string_view>

#include "kernel/arch/x86_64/frame.hpp"

namespace pulse {

/// Handles the exception or ends what caused it: a signal for ring 3, a panic for the kernel.
void handle_exception(Frame& frame);

/// The one interrupt that IF can't hold off: it may come anywhere in the kernel, so it only leaves a note.
void note_nmi();
/// The tick's: says what came since.
void tell_of_nmi();

/// Of vectors 0 to 31: "#PF" and "page fault". Empty where the architecture reserves the vector.
[[nodiscard]] std::string_view exception_mnemonic(u64 vector);
[[nodiscard]] std::string_view exception_name(u64 vector);

}  // namespace pulse
