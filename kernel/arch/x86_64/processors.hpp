// The other processors: starting them, and what CPUs ask of each other by interprocessor interrupts.
#pragma once

#include "kernel/arch/x86_64/per_cpu.hpp"
#include "kernel/core/platform.hpp"

namespace pulse {

/// Starts those that the tables list, one after the other (INIT, STARTUP). At most `most` run in the end. One that does
/// not answer is left out.
void start_processors(const Platform& platform, u32 most);

/// It should choose its thread anew, or look for signals.
void interrupt_cpu(PerCpu& cpu);
/// The CPUs of the mask (bit n: number n) forget what they know of the user half of their page tables. Waits until they
/// have. The running CPU is passed over.
void flush_pages_on(u64 cpus);
/// The other side. Needs no lock.
void answer_flush_request();
/// All others halt for good: a panic's.
void stop_other_cpus();

}  // namespace pulse
