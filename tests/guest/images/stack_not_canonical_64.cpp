// A stack pointer that is not canonical is #SS(0), whatever instruction uses the stack (SDM vol. 1, 3.3.7.1). From ring
// 3, since the handler needs a stack.
#include "tests/guest/runtime/guest.hpp"

#define BAD_STACK "movabs $0x8000000000000000, %rsp"
PROBE(push, BAD_STACK, "push %rax", "")
PROBE(pop, BAD_STACK, "pop %rax", "")
PROBE(push_flags, BAD_STACK, "pushfq", "")
PROBE(call_near, BAD_STACK, "call push", "")
PROBE(call_by_register, BAD_STACK "; movq $push, %rax", "call *%rax", "")
PROBE(call_by_memory, BAD_STACK, "call *target_of_call", "")
PROBE(push_memory, BAD_STACK, "push target_of_call", "")
PROBE(pop_memory, BAD_STACK, "pop target_of_call", "")
PROBE(return_near, BAD_STACK, "ret", "")
PROBE(return_far, BAD_STACK, "lretq", "")
PROBE(interrupt_return, BAD_STACK, "iretq", "")
PROBE(operand_by_rsp, BAD_STACK, "movq (%rsp), %rax", "")
PROBE(operand_by_rax, "movabs $0x8000000000000000, %rax", "movq (%rax), %rax", "")
asm(".data; .align 8; target_of_call: .quad push");

void guest_main() {
  CHECK_USER_FAULT(operand_by_rax, 13, 0);
  const NotCompared here("SDM vol. 1, 3.3.7.1");
  CHECK_USER_FAULT(push, 12, 0);
  CHECK_USER_FAULT(pop, 12, 0);
  CHECK_USER_FAULT(push_memory, 12, 0);
  CHECK_USER_FAULT(pop_memory, 12, 0);
  CHECK_USER_FAULT(push_flags, 12, 0);
  CHECK_USER_FAULT(call_near, 12, 0);
  CHECK_USER_FAULT(call_by_register, 12, 0);
  CHECK_USER_FAULT(call_by_memory, 12, 0);
  CHECK_USER_FAULT(return_near, 12, 0);
  CHECK_USER_FAULT(return_far, 12, 0);
  CHECK_USER_FAULT(interrupt_return, 12, 0);
  CHECK_USER_FAULT(operand_by_rsp, 12, 0);
}
