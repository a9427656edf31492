// Both gates of Pulse, INT 0x80 and SYSCALL, with x86-64's numbers and registers. Runs as the first process.
.set write, 1
.set getpid, 39
.set reboot, 169

.macro SAY text
.section .rodata
8: .ascii "=> \text\n"
9:
.text
  movl $write, %eax
  movl $1, %edi
  leaq 8b(%rip), %rsi
  movl $9b - 8b, %edx
  int $0x80
.endm

.text
.globl _start
_start:
  SAY "INT 0x80 writes"

  movl $getpid, %eax
  syscall
  movq %rax, %rbx
  movq $0x123456789, %rcx
  movq $0xABCDEF012, %r11
  movl $getpid, %eax
  int $0x80
  movq $0x123456789, %rdx
  cmpq %rdx, %rcx
  jne 1f
  movq $0xABCDEF012, %rdx
  cmpq %rdx, %r11
  jne 1f
  SAY "INT 0x80 keeps RCX and R11"
1:
  movl $getpid, %eax
  int $0x80
  cmpq %rbx, %rax
  jne 2f
  SAY "both gates answer the same"
2:
  movl $999, %eax
  int $0x80
  cmpq $-38, %rax
  jne 3f
  SAY "a call that is not there is ENOSYS"
3:
  movl $reboot, %eax
  movl $0xFEE1DEAD, %edi
  movl $0x28121969, %esi
  movl $0x4321FEDC, %edx
  int $0x80
4:
  jmp 4b
