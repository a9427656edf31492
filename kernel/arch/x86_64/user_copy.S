// Copies between kernel and program. A fault that can't be resolved goes on at the fix-up (fixups.cpp looks it up by the
// address of the instruction), and the caller learns how much is missing.
.text
.balign 16
.globl user_copy
user_copy:                          // (to, from, size): bytes that were not copied
  movq %rdx, %rcx
  andl $7, %edx
  shrq $3, %rcx
user_copy_words:
  rep movsq
  movl %edx, %ecx
user_copy_bytes:
  rep movsb
user_copy_done:
  movq %rcx, %rax
  ret
user_copy_words_fixup:
  leaq (%rdx,%rcx,8), %rax
  ret

.balign 16
.globl user_copy_string
user_copy_string:                   // (to, from, size): length of the text, size if it has no end, -1 if it can't be read
  xorl %eax, %eax
1:
  cmpq %rdx, %rax
  jae 2f
user_string_access:
  movb (%rsi,%rax), %cl
  movb %cl, (%rdi,%rax)
  testb %cl, %cl
  jz 2f
  incq %rax
  jmp 1b
2:
  ret
user_string_fixup:
  movq $-1, %rax
  ret

.balign 16
.globl user_load_floating_point
user_load_floating_point:           // (from): 0, or -1 if it can't be read or is no such state
  xorl %eax, %eax
user_floating_point_access:
  fxrstor64 (%rdi)
  ret
user_floating_point_fixup:
  movl $-1, %eax
  ret

.section .fixups, "a"
  .quad user_copy_words, user_copy_words_fixup
  .quad user_copy_bytes, user_copy_done
  .quad user_string_access, user_string_fixup
  .quad user_floating_point_access, user_floating_point_fixup
