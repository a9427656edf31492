// The first instructions: from what a loader leaves (32-bit protected mode, flat) to guest_start(); the trap stubs.

#ifdef __x86_64__
// A PVH guest: the note says where its 32-bit entry is (Xen, xen/include/public/elfnote.h).
asm(R"(
.section .note.pvh, "a", @note
  .align 4
  .long 4, 8, 18
  .asciz "Xen"
  .align 4
  .quad _start
)");

asm(R"(
.section .text.start, "ax"
.code32
.globl _start
_start:
  cli
  cld
  movl $guest_boot_tables + 0x1003, guest_boot_tables        # PML4[0]
  movl $guest_boot_tables + 0x2007, guest_boot_tables + 0x1000  # PDPT[0]
  orl $7, guest_boot_tables
  movl $guest_boot_tables + 0x2000, %edi
  movl $0x87, %eax                                           # present, writable, user, 2 MiB
  movl $512, %ecx
1:
  movl %eax, (%edi)
  addl $0x200000, %eax
  addl $8, %edi
  loop 1b
  movl $guest_boot_tables, %eax
  movl %eax, %cr3
  movl %cr4, %eax
  orl $0x20, %eax                                            # PAE
  movl %eax, %cr4
  movl $0xC0000080, %ecx
  rdmsr
  orl $0x900, %eax                                           # LME, NXE
  wrmsr
  movl %cr0, %eax
  orl $0x80000000, %eax
  movl %eax, %cr0
  lgdt guest_gdt_pointer
  ljmp $8, $2f
.code64
2:
  movl $0x10, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  xorl %eax, %eax
  movl %eax, %fs
  movl %eax, %gs
  movq $guest_stack + 0x4000, %rsp
  xorl %ebp, %ebp
  call guest_start
  ud2
.bss
.align 4096
.globl guest_boot_tables
guest_boot_tables: .skip 0x3000
.align 16
guest_stack: .skip 0x4000
)");

asm(R"(
.text
.align 16
.globl guest_stubs
guest_stubs:
.set vector, 0
.rept 256
  .align 16
  .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
    pushq $0
  .endif
  pushq $vector
  jmp guest_common
  .set vector, vector + 1
.endr
guest_common:
  push %rax; push %rbx; push %rcx; push %rdx; push %rbp; push %rsi; push %rdi
  push %r8; push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15
  cld
  mov %rsp, %rdi
  mov %rsp, %rbp
  and $-16, %rsp
  call guest_dispatch
  mov %rbp, %rsp
  pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8
  pop %rdi; pop %rsi; pop %rbp; pop %rdx; pop %rcx; pop %rbx; pop %rax
  add $16, %rsp
  iretq

.globl guest_run
guest_run:                # (code): 0 if it returned, 1 if it was left
  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15
  pushq guest_recovery
  mov %rsp, guest_recovery
  call *%rdi
  xorl %eax, %eax
  jmp 1f
.globl guest_leave
guest_leave:
  mov guest_recovery, %rsp
  movl $0x10, %eax
  movl %eax, %ss
  movl %eax, %ds
  movl %eax, %es
  pushq $2
  popfq
  movl $1, %eax
1:
  cld
  popq guest_recovery
  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx
  ret

.globl guest_enter_user
guest_enter_user:
  pushq $0x23
  pushq guest_user_stack
  pushq guest_user_flags
  pushq $0x2B
  pushq guest_user_code
  iretq
)");
#else
// A Multiboot 1 guest (Multiboot Specification 0.6.96, section 3.1).
asm(R"(
.section .multiboot, "a"
  .align 4
  .long 0x1BADB002, 0, -0x1BADB002
)");

asm(R"(
.section .text.start, "ax"
.globl _start
_start:
  cli
  cld
  movl $guest_stack + 0x4000, %esp
  lgdt guest_gdt_pointer
  ljmp $8, $1f
1:
  movl $0x10, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  movl %eax, %fs
  movl %eax, %gs
  xorl %ebp, %ebp
  call guest_start
  ud2
.bss
.align 16
guest_stack: .skip 0x4000
)");

asm(R"(
.text
.align 16
.globl guest_stubs
guest_stubs:
.set vector, 0
.rept 256
  .align 16
  .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
    pushl $0
  .endif
  pushl $vector
  jmp guest_common
  .set vector, vector + 1
.endr
guest_common:
  pusha
  push %ds
  push %es
  push %fs
  push %gs
  movl $0x10, %eax
  movl %eax, %ds
  movl %eax, %es
  cld
  movl %esp, %ebp
  pushl %ebp
  call guest_dispatch
  movl %ebp, %esp
  pop %gs
  pop %fs
  pop %es
  pop %ds
  popa
  addl $8, %esp
  iret

.globl guest_run
guest_run:                # (code): 0 if it returned, 1 if it was left
  push %ebx; push %ebp; push %esi; push %edi
  movl 20(%esp), %eax
  pushl guest_recovery
  movl %esp, guest_recovery
  call *%eax
  xorl %eax, %eax
  jmp 1f
.globl guest_leave
guest_leave:
  movl $0x10, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %fs
  movl %eax, %gs
  movl %eax, %ss
  movl guest_recovery, %esp
  pushl $2
  popfl
  movl $1, %eax
1:
  cld
  popl guest_recovery
  pop %edi; pop %esi; pop %ebp; pop %ebx
  ret

.globl guest_enter_user
guest_enter_user:
  movl $0x23, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %fs
  movl %eax, %gs
  pushl %eax
  pushl guest_user_stack
  pushl guest_user_flags
  pushl $0x1B
  pushl guest_user_code
  iret
)");
#endif
