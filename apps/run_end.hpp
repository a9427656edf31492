// How a run ended: the status, the sentence, and where the CPUs were.
#pragma once

#include "apps/run_options.hpp"
#include "machine/boards/machine.hpp"
#include "observe/symboliser.hpp"
#include "observe/trace_file.hpp"

namespace vitrine {

/// The CPU that a triple fault shut down; the first one otherwise.
[[nodiscard]] const Cpu& stopped_cpu(Machine& machine);
/// Would an interrupt wake a CPU that sleeps?
[[nodiscard]] bool some_cpu_is_interruptible(Machine& machine);

/// The machine ended the run.
[[nodiscard]] RunEnd ended_by(const Machine::RunResult& result, Machine& machine, const RunOptions& options,
                              const Symboliser& symbols);
/// A signal of the host did.
[[nodiscard]] RunEnd ended_by_signal(int signal);
/// Time, instructions, and where each CPU is.
void add_where_it_stands(RunEnd& end, Machine& machine);

}  // namespace vitrine
