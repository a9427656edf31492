// Where things are in the address space. Read by the assembler too: macros only.
#ifndef PULSE_LAYOUT_H
#define PULSE_LAYOUT_H

#define KERNEL_BASE 0xFFFFFFFF80000000  // physical 0, as the kernel's own code and data see it (-mcmodel=kernel)
#define DIRECT_MAP 0xFFFF800000000000   // physical 0, for all of RAM
#define DIRECT_MAP_SLOT 256             // its entry in the root page table

#define KERNEL_STACKS 0xFFFFC00000000000  // kernel stacks, each between pages that nothing maps
#define KERNEL_STACKS_SLOT 384
#define DEVICES 0xFFFFD00000000000  // registers of devices, uncached, at this plus their physical address
#define USER_END 0x00007FFFFFFFF000        // behind the last address that a program may have

#define TRAMPOLINE_PAGE 8  // below 1 MiB: where other processors begin

#define BOOT_BY_PVH 1
#define BOOT_BY_MULTIBOOT2 2

#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_CODE_32 0x1B  // what SYSRET counts from; no such segment
#define USER_DATA 0x23  // SYSRET wants data right before 64-bit code (SDM vol. 2, SYSRET)
#define USER_CODE 0x2B
#define TASK_STATE 0x30

// Offsets in PerCpu (per_cpu.hpp holds them to it).
#define PER_CPU_KERNEL_STACK 8
#define PER_CPU_USER_STACK 16

#endif
