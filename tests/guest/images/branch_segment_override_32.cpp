// 3Eh before a JMP or CALL through memory is a DS override, as before any other instruction (SDM vol. 2, 2.1.1): it is
// "no track" only for processors with CET, and these run its other meaning too.
#include "tests/guest/runtime/guest.hpp"

extern "C" {
u32 jump_by_ss(), jump_by_ds(), call_by_ss(), call_by_ds();
extern u32 branch_targets[8];
}

// DS starts 16 bytes above SS, so that it has another target at the same offset.
#define BRANCH(name, instruction)                     \
  asm(".text\n.globl " #name "\n" #name               \
      ": push %ebp; push %ds; movl %esp, saved_esp\n" \
      "  movl $0x48, %eax; movl %eax, %ds; movl $branch_targets, %ebp\n" instruction);
BRANCH(jump_by_ss, ".byte 0xFF, 0x65, 0x00")
BRANCH(jump_by_ds, ".byte 0x3E, 0xFF, 0x65, 0x00")
BRANCH(call_by_ss, ".byte 0xFF, 0x55, 0x00")
BRANCH(call_by_ds, ".byte 0x3E, 0xFF, 0x55, 0x00")
asm(R"(
.text
reached_by_ss: movl $1, %eax; jmp 1f
reached_by_ds: movl $2, %eax
1: movl %ss:saved_esp, %esp
  pop %ds
  pop %ebp
  ret
.data
.align 4
.globl branch_targets
branch_targets: .long reached_by_ss, 0, 0, 0, reached_by_ds, 0, 0, 0
saved_esp: .long 0
)");

void guest_main() {
  put_descriptor(free_selector, descriptor(16, 0xFFFFF, 0x93, 0xC0));
  check("JMP by EBP is through SS", jump_by_ss(), 1);
  check("with 3Eh through DS", jump_by_ds(), 2);
  check("CALL by EBP is through SS", call_by_ss(), 1);
  check("with 3Eh through DS", call_by_ds(), 2);
}
