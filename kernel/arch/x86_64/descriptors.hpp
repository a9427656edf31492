// GDT, TSS and IDT of a CPU (SDM vol. 3A §3.4.5, §6.14, §7.7).
#pragma once

#include "kernel/core/types.hpp"

namespace pulse {

struct PerCpu;

/// Of the CPU that boots.
[[nodiscard]] PerCpu& boot_processor_data();
/// Another CPU's; null if memory is short. It counts in cpu_count() once announce_cpu() says that it runs.
[[nodiscard]] PerCpu* make_cpu(u32 number);
void announce_cpu();
/// Loads tables, segment registers, TR and GS base for the CPU that runs this; SYSCALL's MSRs too. If `cpu` has no
/// kernel stack yet, it gets the boot stack.
void load_descriptors(PerCpu& cpu);
/// The stack that an interrupt from ring 3 finds (TSS.RSP0), and SYSCALL's.
void set_kernel_stack(u64 top);

/// Stacks of the vectors that can't trust the one they find.
enum class InterruptStack : u8 { Current = 0, Nmi = 1, DoubleFault = 2, MachineCheck = 3 };

}  // namespace pulse
