// More CPUs (SDM vol. 3A, 8.4.4): in the image's own mode (flat protected, or 64-bit with the runtime's page tables),
// with its GDT and IDT, each on a stack of its own, with interrupts off and its local APIC on.
#pragma once

#include "tests/guest/runtime/apic.hpp"

extern "C" {
extern const u8 second_cpu_begin[], second_cpu_tables[], second_cpu_end[];
extern volatile u32 second_cpu_starts;  ///< how many have been started by now
void second_cpu_main();                 ///< the image's; does not return
}

// Up to second_cpu_end it runs at 8000h, where a SIPI sends it in real mode; the tables' pointers are filled in there.
// There are stacks for 64 starts.
#if GUEST_64
asm(R"(
.section .text
.globl second_cpu_begin, second_cpu_tables, second_cpu_end
.code16
second_cpu_begin:
  cli
  movl %cr4, %eax
  orl $0x20, %eax            # PAE
  movl %eax, %cr4
  movl $guest_boot_tables, %eax
  movl %eax, %cr3
  movl $0xC0000080, %ecx
  rdmsr
  orl $0x900, %eax           # LME, NXE
  wrmsr
  lgdtl %cs:(second_cpu_tables - second_cpu_begin)
  movl %cr0, %eax
  orl $0x80000001, %eax      # straight from real mode (SDM vol. 3A, 9.8.5, in one step)
  movl %eax, %cr0
  ljmpl $8, $second_cpu_long
.balign 8
second_cpu_tables:
  .fill 32, 1, 0
second_cpu_end:
.code64
second_cpu_long:
  movl $0x10, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  lidt 0x8010 + second_cpu_tables - second_cpu_begin
  movl $1, %eax
  lock xaddl %eax, second_cpu_starts
  incl %eax
  shll $12, %eax
  leaq second_cpu_stacks(%rax), %rsp
  movl $0xFEE000F0, %ebx
  movl $0x1FF, (%rbx)
  xorl %ebp, %ebp
  call second_cpu_main
  ud2
)");
#else
asm(R"(
.section .text
.globl second_cpu_begin, second_cpu_tables, second_cpu_end
.code16
second_cpu_begin:
  cli
  lgdtl %cs:(second_cpu_tables - second_cpu_begin)
  lidtl %cs:(second_cpu_tables - second_cpu_begin + 16)
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $8, $second_cpu_protected
.balign 8
second_cpu_tables:
  .fill 32, 1, 0
second_cpu_end:
.code32
second_cpu_protected:
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movl $1, %eax
  lock xaddl %eax, second_cpu_starts
  incl %eax
  shll $12, %eax
  leal second_cpu_stacks(%eax), %esp
  movl $0x1FF, 0xFEE000F0
  call second_cpu_main
  ud2
)");
#endif
asm(R"(
.bss
.balign 16
second_cpu_stacks: .skip 64 * 0x1000
.globl second_cpu_starts
second_cpu_starts: .skip 4
.text
)");

constexpr word second_cpu_page = 0x8000;

/// Puts its first code where the SIPI with vector second_cpu_page >> 12 finds it.
inline void prepare_second_cpu() {
  auto* to = reinterpret_cast<volatile u8*>(second_cpu_page);
  for (const u8* from = second_cpu_begin; from != second_cpu_end; ++from) *to++ = *from;
  const word tables = second_cpu_page + static_cast<word>(second_cpu_tables - second_cpu_begin);
  asm volatile("sgdt (%0); sidt (%1)" ::"r"(tables), "r"(tables + 16) : "memory");
}

inline void start_second_cpu() {
  prepare_second_cpu();
  apic::send(apic::mode_init | apic::asserted, 1);
  apic::send(apic::mode_start_up | apic::asserted | second_cpu_page >> 12, 1);
}

/// Starts all the others, and waits until `others` have come.
inline void start_other_cpus(u32 others) {
  prepare_second_cpu();
  apic::send(apic::to_others | apic::mode_init | apic::asserted);
  apic::send(apic::to_others | apic::mode_start_up | apic::asserted | second_cpu_page >> 12);
  while (second_cpu_starts < others) asm volatile("pause");
}
