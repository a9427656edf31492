// From the IDT to interrupt_entry() and back: one stub a vector, one frame type (frame.hpp).
//
// GS: in the kernel its base is this CPU's PerCpu, in ring 3 the program's own. An entry from ring 3 swaps. NMI, double
// fault and machine check can come between an entry and its SWAPGS, so they look at the base itself (paranoid entry).
#include "kernel/arch/x86_64/layout.h"

.macro PUSH_REGISTERS
  push %rax; push %rbx; push %rcx; push %rdx; push %rbp; push %rsi; push %rdi
  push %r8; push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15
  // Nothing of what a user left in the registers reaches kernel code by mistake.
  xorl %ebp, %ebp
  cld
.endm
.macro POP_REGISTERS
  pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8
  pop %rdi; pop %rsi; pop %rbp; pop %rdx; pop %rcx; pop %rbx; pop %rax
.endm

.text
.balign 16
.globl entry_stubs
entry_stubs:
.set vector, 0
.rept 256
  .balign 16
  .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
    pushq $0                        // the CPU pushes an error code for those only (SDM vol. 3A table 6-1)
  .elseif vector != 14
    // An interrupt with such a vector brings none, and shifts the frame by one place. The CPU aligned the stack to 16
    // bytes before it pushed (§6.14.2): an odd number of words are the five of an interrupt. Page faults are the path
    // that counts, and their vector no line's but the floppy disk's, which nobody unmasks.
    testb $8, %spl
    jz 1f
    pushq $-1                       // Frame::no_error_code
1:
  .endif
  pushq $vector
  .if vector == 2 || vector == 8 || vector == 18
    jmp paranoid_entry
  .elseif vector == 0x80
    jmp int80_stub
  .else
    jmp common_entry
  .endif
  .set vector, vector + 1
.endr

.balign 16
.globl common_entry
common_entry:
  PUSH_REGISTERS
  testb $3, 18 * 8(%rsp)        // CS of the frame
  jz 1f
  swapgs
1:
  movq %rsp, %rdi
  call interrupt_entry
.globl return_from_interrupt
return_from_interrupt:
  testb $3, 18 * 8(%rsp)
  jz 2f
  movq %rsp, %rdi
  call return_to_user               // signals, another thread's turn; leaves with IF=0
  swapgs
2:
  POP_REGISTERS
  addq $16, %rsp
  iretq

.balign 16
paranoid_entry:
  PUSH_REGISTERS
  xorl %ebx, %ebx
  movl $0xC0000101, %ecx            // IA32_GS_BASE: the kernel's is negative
  rdmsr
  testl %edx, %edx
  js 1f
  swapgs
  incl %ebx
1:
  movq %rsp, %rdi
  call interrupt_entry
  testl %ebx, %ebx
  jz 2f
  swapgs
2:
  POP_REGISTERS
  addq $16, %rsp
  iretq

// INT 0x80: the other gate for system calls. Only programs come through it.
.balign 16
int80_stub:
  PUSH_REGISTERS
  swapgs
  movq %rsp, %rdi
  call int80_entry
  swapgs
  POP_REGISTERS
  addq $16, %rsp
  iretq

// SYSCALL: RCX is the return address, R11 the flags; IF is clear (IA32_FMASK). Builds the same frame, with vector 256.
.balign 16
.globl syscall_stub
syscall_stub:
  swapgs
  movq %rsp, %gs:PER_CPU_USER_STACK
  movq %gs:PER_CPU_KERNEL_STACK, %rsp
  pushq $USER_DATA
  pushq %gs:PER_CPU_USER_STACK
  pushq %r11
  pushq $USER_CODE
  pushq %rcx
  pushq $0
  pushq $256
  PUSH_REGISTERS
  movq %rsp, %rdi
  call syscall_entry                // true: SYSRET gives back exactly this frame
  movq %rsp, %rdi
  testb %al, %al
  jz 1f
  POP_REGISTERS
  movq 16(%rsp), %rcx
  movq 32(%rsp), %r11
  movq 40(%rsp), %rsp
  swapgs
  sysretq
1:
  swapgs
  POP_REGISTERS
  addq $16, %rsp
  iretq

// switch_stacks(u64* save, u64 next): leaves the running thread's stack pointer in *save, goes on with the stack `next`.
.balign 16
.globl switch_stacks
switch_stacks:
  push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp
  ret

// Where a new thread's first switch_stacks() returns to: RBX holds its argument, R12 its function.
.balign 16
.globl thread_start
thread_start:
  call thread_started               // ends what the switch began
  movq %rbx, %rdi
  call *%r12
  call thread_returned
  ud2
