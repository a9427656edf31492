// A second CPU for 32-bit images (SDM vol. 3A, 8.4.4): in flat protected mode, with the runtime's GDT and IDT, on a
// stack of its own, with interrupts off and its local APIC on.
#pragma once

#include "tests/guest/runtime/apic.hpp"

static_assert(!GUEST_64);

extern "C" {
extern const u8 second_cpu_begin[], second_cpu_tables[], second_cpu_end[];
void second_cpu_main();  ///< the image's; does not return
}

// Up to second_cpu_end it runs at 8000h, where a SIPI sends it in real mode; the tables' pointers are filled in there.
asm(R"(
.section .text
.globl second_cpu_begin, second_cpu_tables, second_cpu_end
.code16
second_cpu_begin:
  cli
  lgdtl %cs:(second_cpu_tables - second_cpu_begin)
  lidtl %cs:(second_cpu_tables - second_cpu_begin + 8)
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $8, $second_cpu_protected
.balign 8
second_cpu_tables:
  .fill 16, 1, 0
second_cpu_end:
.code32
second_cpu_protected:
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movl $second_cpu_stack + 0x4000, %esp
  movl $0x1FF, 0xFEE000F0
  call second_cpu_main
  ud2
.bss
.balign 16
second_cpu_stack: .skip 0x4000
.text
)");

constexpr word second_cpu_page = 0x8000;

/// Puts its first code where the SIPI with vector second_cpu_page >> 12 finds it.
inline void prepare_second_cpu() {
  auto* to = reinterpret_cast<volatile u8*>(second_cpu_page);
  for (const u8* from = second_cpu_begin; from != second_cpu_end; ++from) *to++ = *from;
  const word tables = second_cpu_page + static_cast<word>(second_cpu_tables - second_cpu_begin);
  asm volatile("sgdt (%0); sidt (%1)" ::"r"(tables), "r"(tables + 8) : "memory");
}

inline void start_second_cpu() {
  prepare_second_cpu();
  apic::send(apic::mode_init | apic::asserted, 1);
  apic::send(apic::mode_start_up | apic::asserted | second_cpu_page >> 12, 1);
}
