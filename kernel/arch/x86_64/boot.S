// The first instructions: from what a loader leaves (32-bit protected mode, flat, paging off) to kernel_start() in the
// high half of the address space.
//
// PVH: Xen's public/arch-x86/hvm/start_info.h; the note names boot_pvh, EBX holds the start info.
// Multiboot 2: specification §3; EAX holds the magic, EBX the information. GRUB enters at the header's entry address.
#include "kernel/arch/x86_64/layout.h"

.section .note.pvh, "a", @note
  .balign 4
  .long 4, 8, 18                    // name size, description size, XEN_ELFNOTE_PHYS32_ENTRY
  .asciz "Xen"
  .balign 4
  .quad boot_pvh

.section .boot.multiboot, "a"
  .balign 8
multiboot_header:
  .long 0xE85250D6, 0, multiboot_end - multiboot_header, -(0xE85250D6 + (multiboot_end - multiboot_header))
  .balign 8
  .short 3, 0                       // entry address
  .long 12, boot_multiboot
  .balign 8
  .short 0, 0
  .long 8
multiboot_end:

.section .boot.text, "ax"
.code32
.globl boot_pvh
boot_pvh:
  movl $BOOT_BY_PVH, %esi
  jmp to_long_mode
.globl boot_multiboot
boot_multiboot:
  movl $BOOT_BY_MULTIBOOT2, %esi
to_long_mode:
  cli
  cld
  movl $boot_stack_low_top, %esp
  movl %ebx, %ebp
  // Four page directories map the first 4 GiB, by pages of 2 MiB, at 0 and at the direct map; the first GiB also at the
  // top of the address space, where the kernel is linked.
  movl $boot_directories - KERNEL_BASE, %edi
  movl $0x83, %eax                  // present, writable, 2 MiB
  xorl %edx, %edx
1:
  movl %eax, (%edi)
  movl %edx, 4(%edi)
  addl $8, %edi
  addl $0x200000, %eax
  jnc 1b                            // ends behind the last page below 4 GiB
  movl $boot_low - KERNEL_BASE, %edi
  movl $boot_directories - KERNEL_BASE + 3, %eax
  movl $4, %ecx
2:
  movl %eax, (%edi)
  addl $8, %edi
  addl $0x1000, %eax
  loop 2b
  movl $boot_directories - KERNEL_BASE + 3, boot_high - KERNEL_BASE + 510 * 8
  movl $boot_low - KERNEL_BASE + 3, boot_root - KERNEL_BASE
  movl $boot_low - KERNEL_BASE + 3, boot_root - KERNEL_BASE + DIRECT_MAP_SLOT * 8
  movl $boot_high - KERNEL_BASE + 3, boot_root - KERNEL_BASE + 511 * 8
  movl $boot_root - KERNEL_BASE, %eax
  movl %eax, %cr3
  movl $0x620, %eax                 // CR4: PAE, OSFXSR, OSXMMEXCPT
  movl %eax, %cr4
  movl $0xC0000080, %ecx            // EFER: LME, NXE, SCE
  rdmsr
  orl $0x901, %eax
  wrmsr
  movl $0x80010033, %eax            // CR0: PG, WP, NE, ET, MP, PE
  movl %eax, %cr0
  lgdt boot_gdt_pointer
  ljmp $8, $3f
.code64
3:
  movabsq $boot_high_half, %rax
  jmp *%rax

// Another processor, from trampoline.S: 32-bit protected mode, flat.
.code32
.globl boot_processor
boot_processor:
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %ss
  movl $boot_root - KERNEL_BASE, %eax
  movl %eax, %cr3
  movl $0x620, %eax
  movl %eax, %cr4
  movl $0xC0000080, %ecx
  rdmsr
  orl $0x901, %eax
  wrmsr
  movl $0x80010033, %eax
  movl %eax, %cr0
  lgdt boot_gdt_pointer
  ljmp $8, $4f
.code64
4:
  movabsq $processor_high_half, %rax
  jmp *%rax

.section .boot.data, "aw"
  .balign 8
boot_gdt:
  .quad 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF
boot_gdt_pointer:
  .short 23
  .long boot_gdt
  .balign 16
  .skip 64
boot_stack_low_top:

.text
boot_high_half:
  movl $0x10, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  xorl %eax, %eax
  movl %eax, %fs
  movl %eax, %gs
  movq $boot_stack_top, %rsp
  movl %esi, %edi                   // how we were booted
  movl %ebp, %esi                   // what we were given; the upper halves are 0
  xorl %ebp, %ebp                   // the last frame of a back trace
  pushq $0
  jmp kernel_start

processor_high_half:
  movl $0x10, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  xorl %eax, %eax
  movl %eax, %fs
  movl %eax, %gs
  movq processor_tables, %rax       // the boot tables don't have its stack
  movq %rax, %cr3
  movq processor_stack, %rsp
  xorl %ebp, %ebp
  pushq $0
  jmp processor_start

.bss
  .balign 4096
.globl boot_root
boot_root: .skip 0x1000
boot_low: .skip 0x1000
boot_high: .skip 0x1000
boot_directories: .skip 0x4000
.skip 0x4000
.globl boot_stack_top
boot_stack_top:
