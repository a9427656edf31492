// The 32 exceptions: who handles one, and what its error code means (SDM vol. 3A §6.15).
#pragma once

#include "kernel/arch/x86_64/frame.hpp"

namespace pulse {

/// Handles the exception or ends what caused it: a signal for ring 3, a panic for the kernel.
void handle_exception(Frame& frame);

/// The one interrupt that IF can't hold off: it may come anywhere in the kernel, so it only leaves a note.
void note_nmi();
/// The tick's: says what came since.
void tell_of_nmi();

/// The 8259s' lines have the vectors from default_8259_vector on: what comes with one of them may be an interrupt, and
/// is a panic that says so.
void expect_lines_as_exceptions();

}  // namespace pulse
