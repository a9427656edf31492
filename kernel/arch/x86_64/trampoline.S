// Where a processor begins after STARTUP: real mode, CS:IP = page:0 (SDM vol. 3A §9.4). Copied to that page; from there to
// the code in boot.S that goes to long mode.
#include "kernel/arch/x86_64/layout.h"

.section .rodata
.balign 16
.globl trampoline_begin, trampoline_end
.code16
trampoline_begin:
  cli
  cld
  movw %cs, %ax
  movw %ax, %ds
  lgdtl trampoline_gdt_pointer - trampoline_begin
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $8, $boot_processor
.balign 8
trampoline_gdt:
  .quad 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF  // flat 32-bit code, data
trampoline_gdt_pointer:
  .short 23
  .long TRAMPOLINE_PAGE * 0x1000 + trampoline_gdt - trampoline_begin
trampoline_end:
.code64
