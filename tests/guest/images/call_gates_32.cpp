// Far calls: through gates, to more privilege with parameters, conforming segments, returns to less (SDM vol. 3, 5.8).
#include "tests/guest/runtime/guest.hpp"

extern "C" {
u32 seen_cs, seen_ss, seen_sp, seen_parameter_1, seen_parameter_2, seen_return, after_sp;
extern const char gate_target[], conforming_target[];
}

constexpr u16 gate_ring3 = 0x48, gate_ring0 = 0x50, conforming = 0x58, gate_absent = 0x60, gate_to_data = 0x68;

asm(R"(
.text
.globl gate_target
gate_target:
  movl %cs, %eax
  movl %eax, seen_cs
  movl %ss, %eax
  movl %eax, seen_ss
  movl %esp, seen_sp
  movl (%esp), %eax
  movl %eax, seen_return
  movl 8(%esp), %eax
  movl %eax, seen_parameter_1
  movl 12(%esp), %eax
  movl %eax, seen_parameter_2
  lretl $8
.globl conforming_target
conforming_target:
  movl %cs, %eax
  movl %eax, %ss:seen_cs
  lret
)");
PROBE(user_gate, "movl %esp, %ebx; pushl $0xAAAA; pushl $0xBBBB", "lcall $0x4B, $0",
      "movl %esp, %ecx; subl %ebx, %ecx; int $0x80")
PROBE(user_gate_without_right, "", "lcall $0x50, $0", "")
PROBE(user_gate_absent, "", "lcall $0x60, $0", "")
PROBE(user_gate_to_data, "", "lcall $0x68, $0", "")
PROBE(user_direct, "", "lcall $0x08, $0", "")
PROBE(user_conforming, "", "lcall $0x58, $conforming_target", "int $0x80")
PROBE(kernel_gate, "movl $0, %ecx; pushl $0xCCCC; pushl $0xDDDD", "lcall $0x50, $0", "")
PROBE(kernel_to_user_code, "", "lcall $0x1B, $0", "")
PROBE(kernel_to_data, "", "lcall $0x10, $0", "")
PROBE(kernel_to_null, "", "lcall $0x00, $0", "")
PROBE(user_jump_gate, "", "ljmp $0x4B, $0", "")
PROBE(return_to_more_privilege, "pushl $0x08; pushl $0", "lret", "")

void guest_main() {
  set_gate_dpl(0x80, 3);
  const auto target = reinterpret_cast<word>(gate_target);
  put_descriptor(gate_ring3, gate(kernel_code, target, 0xEC, 2));
  put_descriptor(gate_ring0, gate(kernel_code, target, 0x8C, 2));
  put_descriptor(conforming, descriptor(0, 0xFFFFF, 0x9F, 0xC0));
  put_descriptor(gate_absent, gate(kernel_code, target, 0x6C, 0));
  put_descriptor(gate_to_data, gate(kernel_data, target, 0xEC, 0));

  Trap trap = run_user(user_gate);
  check("from ring 3 through a gate and back", trap.vector, 0x80);
  check("it ran in ring 0", seen_cs, kernel_code);
  check("on ring 0's stack segment", seen_ss, kernel_data);
  check("with 6 words on the stack of the TSS", seen_sp, kernel_stack_top() - 24);
  check("the last parameter first", seen_parameter_1, 0xBBBB);
  check("then the other", seen_parameter_2, 0xAAAA);
  check("the return address", seen_return, reinterpret_cast<word>(user_gate_after));
  check("RETF 8 drops the parameters of both stacks", trap.cx, 0);

  CHECK_USER_FAULT(user_gate_without_right, 13, gate_ring0);
  CHECK_USER_FAULT(user_gate_absent, 11, gate_absent);
  CHECK_USER_FAULT(user_gate_to_data, 13, kernel_data);
  CHECK_USER_FAULT(user_direct, 13, kernel_code);
  CHECK_USER_FAULT(user_jump_gate, 13, kernel_code);
  CHECK_USER_FAULT(return_to_more_privilege, 13, kernel_code);
  trap = run_user(user_conforming);
  check("a conforming segment from ring 3", trap.vector, 0x80);
  check("stays in ring 3", seen_cs, conforming | 3);

  CHECK_NO_TRAP(kernel_gate);
  check("from ring 0: no change of stack", seen_parameter_1, 0xDDDD);
  CHECK_FAULT(kernel_to_user_code, 13, user_code32 & 0xFFFC);
  CHECK_FAULT(kernel_to_data, 13, kernel_data);
  CHECK_FAULT(kernel_to_null, 13, 0);
}
