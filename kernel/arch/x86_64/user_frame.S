#include "kernel/arch/x86_64/layout.h"

.text
// leave_to_frame(Frame*): goes on as the frame says, on the stack that it stands on.
.balign 16
.globl leave_to_frame
leave_to_frame:
  cli
  movq %rdi, %rsp
  jmp return_from_interrupt
