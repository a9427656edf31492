// The host's floating-point unit while the guest runs: it computes the guest's results, so it holds the guest's modes.
#pragma once

namespace vitrine {

struct Cpu;

/// Loads the guest's rounding, precision, DAZ and FTZ into the host's control registers, all exceptions masked.
void fp_enter(Cpu& cpu);
/// Collects the sticky flags into the guest's MXCSR and gives the host its own modes back.
void fp_leave(Cpu& cpu);

}  // namespace vitrine
