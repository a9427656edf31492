// Ring 3 and back: which stack ring 0 gets, what is in the frame, what ring 3 must not do.
#include "tests/guest/runtime/guest.hpp"

PROBE(call_kernel, "movl $0x1234, %eax; movl $0x5678, %ecx", "int $0x80", "")
PROBE(gate_of_ring_0, "", "int $0x81", "")
PROBE(exception_by_number, "", "int $13", "")
PROBE(breakpoint_with_right, "", "int3", "")
PROBE(privileged_hlt, "", "hlt", "")
PROBE(privileged_cli, "", "cli", "")
PROBE(privileged_in, "", "inb $0x60, %al", "")
PROBE(privileged_lgdt, "", "lgdt guest_gdt_pointer", "")
PROBE(privileged_cr0, "", "mov %cr0, %" REGISTER_A, "")
PROBE(privileged_clts, "", "clts", "")
PROBE(privileged_invlpg, "", "invlpg (0)", "")
PROBE(privileged_wrmsr, "", "wrmsr", "")
PROBE(load_of_kernel_data, "movl $0x10, %eax", "movl %eax, %ds", "")
PROBE(load_of_null_stack, "xorl %eax, %eax", "movl %eax, %ss", "")
PROBE(misaligned, "", "movl misaligned_data, %eax", "int $0x80")
PROBE(flags_from_user,
      "pushf; pop %" REGISTER_A "; orl $0x3200, %eax; push %" REGISTER_A "; popf; pushf; pop %" REGISTER_A, "int $0x80",
      "")
PROBE(allowed_in, "", "inb $0x61, %al", "int $0x80")
PROBE(allowed_cli, "", "cli", "int $0x80")
PROBE(in_by_map, "", "inb $0x61, %al", "int $0x80")
asm(".data; .align 8; .byte 0; misaligned_data: .long 0, 0");

namespace {
void gates() {
  const NotCompared here(error_code_of_gate_64);
  CHECK_USER_FAULT(gate_of_ring_0, 13, idt_error(0x81));
  CHECK_USER_FAULT(exception_by_number, 13, idt_error(13));
  set_gate_dpl(3, 0);
  check_trap("breakpoint without right", run_user(breakpoint_with_right), 13, idt_error(3), breakpoint_with_right_at);
  set_gate_access(0x81, 0x0E);
  check_trap("rights are checked before presence", run_user(gate_of_ring_0), 13, idt_error(0x81), gate_of_ring_0_at);
  set_gate_access(0x81, 0x6E);
  check_trap("then presence", run_user(gate_of_ring_0), 11, idt_error(0x81), gate_of_ring_0_at);
  set_gate_dpl(3, 3);
}
}  // namespace

void guest_main() {
  set_gate_dpl(0x80, 3);
  set_gate_dpl(3, 3);

  CHECK_USER_TRAP(call_kernel, 0x80, 0);
  const Trap trap = run_user(call_kernel);
  check("registers come along", trap.ax << 16 | trap.cx, 0x12345678);
  check("CS in the frame is ring 3's", trap.cs, user_code);
  check("SS in the frame is ring 3's", trap.ss, user_data);
  check("ring 0's stack comes from the TSS", trap.frame_sp, (kernel_stack_top() & ~word{15}) - 5 * sizeof(word));
  check("flags in the frame", trap.flags & (flag_if | flag_iopl3 | flag_tf), 0);
  check("IF of ring 3 is saved", run_user(call_kernel, flag_if).flags & flag_if, flag_if);

  gates();
  CHECK_USER_TRAP(breakpoint_with_right, 3, 0);

  CHECK_USER_FAULT(privileged_hlt, 13, 0);
  CHECK_USER_FAULT(privileged_cli, 13, 0);
  CHECK_USER_FAULT(privileged_in, 13, 0);
  CHECK_USER_FAULT(privileged_lgdt, 13, 0);
  CHECK_USER_FAULT(privileged_cr0, 13, 0);
  CHECK_USER_FAULT(privileged_clts, 13, 0);
  CHECK_USER_FAULT(privileged_invlpg, 13, 0);
  CHECK_USER_FAULT(privileged_wrmsr, 13, 0);
  CHECK_USER_FAULT(load_of_kernel_data, 13, kernel_data);
  CHECK_USER_FAULT(load_of_null_stack, 13, 0);

  check("POPF of ring 3 changes neither IF nor IOPL", run_user(flags_from_user).ax & (flag_iopl3 | flag_if), 0);
  check("with IOPL 3 it may change IF", run_user(flags_from_user, flag_iopl3).ax & (flag_iopl3 | flag_if),
        flag_iopl3 | flag_if);
  check("with IOPL 3 it may do CLI", run_user(allowed_cli, flag_iopl3).vector, 0x80);
  check("with IOPL 3 it may do IN", run_user(allowed_in, flag_iopl3).vector, 0x80);

  // Alignment: only in ring 3, with CR0.AM and EFLAGS.AC (SDM vol. 3, 6.15, interrupt 17).
  check("misaligned without AM", run_user(misaligned, flag_ac).vector, 0x80);
  set_cr0(cr0() | cr0_am);
  check("misaligned without AC", run_user(misaligned).vector, 0x80);
  const NotCompared here("SDM vol. 3, 6.15, interrupt 17");
  check_trap("misaligned with both", run_user(misaligned, flag_ac), 17, 0, misaligned_at);
}
