// Starts the second CPU (SDM vol. 3A, 8.4.4): it enables its local APIC and waits for interrupts. 32-bit images only.
#pragma once

#include "tests/guest/runtime/apic.hpp"

/// What the second CPU runs, for good; its local APIC is on, IF is clear.
extern "C" void second_cpu_main();

asm(R"(
.text
.code16
.globl second_cpu_begin
second_cpu_begin:
  cli
  xorw %ax, %ax
  movw %ax, %ds
  lgdtl 0x8040
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $8, $second_cpu_32
.globl second_cpu_end
second_cpu_end:
.code32
second_cpu_32:
  movl $0x10, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  movl $second_cpu_stack + 0x2000, %esp
  lidt second_cpu_idt
  call second_cpu_main
  ud2
.bss
.align 16
second_cpu_stack: .skip 0x2000
.globl second_cpu_idt
second_cpu_idt: .skip 8
.text
)");
extern "C" const u8 second_cpu_begin[], second_cpu_end[];
extern "C" u8 second_cpu_idt[8];

inline void start_second_cpu() {
  constexpr word page = 0x8000, table_pointer = 0x8040;
  auto* to = reinterpret_cast<volatile u8*>(page);
  for (const u8* from = second_cpu_begin; from != second_cpu_end; ++from) *to++ = *from;
  asm volatile("sgdt (%0); sidt (%1)" ::"r"(table_pointer), "r"(second_cpu_idt) : "memory");
  apic::send(apic::mode_init | apic::asserted, 1);
  apic::send(apic::mode_start_up | apic::asserted | page >> 12, 1);
}
