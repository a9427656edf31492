// The Linux kernel that a CPU runs: where it lies, what it calls its functions, where its tasks keep number and name.
#pragma once

#include <optional>

#include "observe/linux/guest_view.hpp"
#include "observe/linux/kallsyms.hpp"

namespace vitrine {

struct Cpu;

/// Where the kernel's structures keep what we want to know of a thread.
struct TaskLayout {
  u32 number = 0;  ///< task_struct::pid
  u32 name = 0;    ///< task_struct::comm, 16 bytes
};

struct LinuxKernel {
  KernelSymbols symbols;
  unsigned pointer_size = 8;
  std::optional<TaskLayout> tasks;  ///< nothing: the kernel has no BTF
};

/// Looks for a Linux kernel around the handlers in the CPU's IDT. No effect on the machine. Nothing: the IDT is not a
/// kernel's (yet), or the kernel has no symbol table. Takes some ten milliseconds of a host.
[[nodiscard]] std::optional<LinuxKernel> find_linux_kernel(const Cpu& cpu);

}  // namespace vitrine
