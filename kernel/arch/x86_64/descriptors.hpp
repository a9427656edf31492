// GDT, TSS and IDT of a CPU (SDM vol. 3A §3.4.5, §6.14, §7.7).
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

/// Loads tables, segment registers, TR and GS base for the boot CPU; SYSCALL's MSRs too.
void load_descriptors();
/// The stack that an interrupt from ring 3 finds (TSS.RSP0), and SYSCALL's.
void set_kernel_stack(u64 top);

/// Stacks of the vectors that can't trust the one they find.
enum class InterruptStack : u8 { Current = 0, Nmi = 1, DoubleFault = 2, MachineCheck = 3 };

}  // namespace pulse
