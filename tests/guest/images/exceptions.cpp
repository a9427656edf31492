// Every exception that one instruction can cause in ring 0 without paging: vector, error code, which address is in the
// frame (SDM vol. 3, 6.15), RF in it (17.3.1.1).
#include "tests/guest/runtime/guest.hpp"

PROBE(divide_by_zero, "xorl %edx, %edx; movl $1, %eax; xorl %ecx, %ecx", "divl %ecx", "")
PROBE(divide_overflow, "movl $2, %edx; xorl %eax, %eax; movl $1, %ecx", "divl %ecx", "")
PROBE(divide_signed_overflow, "movl $0x8000, %eax; movl $-1, %ecx; movl $-1, %edx", "idivw %cx", "")
PROBE(icebp, "", ".byte 0xF1", "")
PROBE(breakpoint, "", "int3", "")
PROBE(breakpoint_two_bytes, "", ".byte 0xCD, 3", "")
PROBE(undefined_ud2, "", "ud2", "")
PROBE(undefined_lock_of_a_register, "", ".byte 0xF0, 0x01, 0xC0", "")
PROBE(undefined_lock_of_a_load, "", ".byte 0xF0, 0x8B, 0x00", "")
PROBE(undefined_move_to_cs, "xorl %eax, %eax", ".byte 0x8E, 0xC8", "")
PROBE(undefined_lea_of_a_register, "", ".byte 0x8D, 0xC0", "")
PROBE(software_interrupt, "", "int $0x77", "")
PROBE(use_fpu, "", "fninit", "")
PROBE(use_wait, "", "fwait", "")
PROBE(use_sse, "", "addps %xmm0, %xmm0", "")
PROBE(use_sse_restored, "", "ldmxcsr mxcsr_default", "")
PROBE(x87_zero_divide, "fninit; fldcw x87_all; fldz; fld1; fdivp", "fwait", "")
PROBE(x87_zero_divide_next, "fninit; fldcw x87_all; fldz; fld1; fdivp", "fld1", "")
PROBE(x87_zero_divide_no_wait, "fninit; fldcw x87_all; fldz; fld1; fdivp; fnstsw %ax", "fnclex", "")
PROBE(sse_zero_divide, "ldmxcsr mxcsr_all; xorps %xmm1, %xmm1; movss one, %xmm0", "divss %xmm1, %xmm0", "")
PROBE(load_not_present, "movl $0x48, %eax", "movl %eax, %ds", "")
PROBE(load_stack_not_present, "movl $0x48, %eax", "movl %eax, %ss", "")
PROBE(load_past_the_limit, "movl $0x7FC8, %eax", "movl %eax, %ds", "")
PROBE(load_from_empty_ldt, "movl $0x4, %eax", "movl %eax, %es", "")
PROBE(load_a_system_segment, "movl $0x38, %eax", "movl %eax, %ds", "")
PROBE(load_stack_from_code, "movl $0x08, %eax", "movl %eax, %ss", "")
PROBE(load_stack_of_wrong_rpl, "movl $0x13, %eax", "movl %eax, %ss", "")
PROBE(task_register_busy, "movl $0x38, %eax", "ltr %ax", "")
PROBE(debug_register_four, "", "mov %dr4, %" REGISTER_A "", "")
PROBE(gate_not_present, "", "int $0x20", "")
PROBE(gate_of_wrong_type, "", "int $0x20", "")
PROBE(gate_to_null, "", "int $0x20", "")
PROBE(gate_to_data, "", "int $0x20", "")
asm(".data; x87_all: .word 0x0300; mxcsr_all: .long 0; mxcsr_default: .long 0x1F80; one: .float 1.0");

namespace {

void control(word set, word clear) { set_cr0((cr0() & ~clear) | set); }

void arithmetic() {
  CHECK_FAULT(divide_by_zero, 0, 0);
  CHECK_FAULT(divide_overflow, 0, 0);
  CHECK_FAULT(divide_signed_overflow, 0, 0);
}

void traps() {
  {
    const NotCompared here("SDM vol. 2, INT1");
    CHECK_TRAP(icebp, 1, 0);
  }
  CHECK_TRAP(breakpoint, 3, 0);
  CHECK_TRAP(breakpoint_two_bytes, 3, 0);
  CHECK_TRAP(software_interrupt, 0x77, 0);
}

void undefined() {
  CHECK_FAULT(undefined_ud2, 6, 0);
  CHECK_FAULT(undefined_lock_of_a_register, 6, 0);
  {
    const NotCompared here("SDM vol. 2, LOCK");
    CHECK_FAULT(undefined_lock_of_a_load, 6, 0);
  }
  CHECK_FAULT(undefined_move_to_cs, 6, 0);
  CHECK_FAULT(undefined_lea_of_a_register, 6, 0);
  set_cr4(cr4() | cr4_de);  // with debug extensions, DR4 is no longer DR6 (17.2.2)
  CHECK_FAULT(debug_register_four, 6, 0);
  set_cr4(cr4() & ~cr4_de);
  CHECK_NO_TRAP(debug_register_four);
}

// Table 2-4 of 2.5: EM, MP, TS.
void no_fpu() {
  control(cr0_em, cr0_ts | cr0_mp);
  CHECK_FAULT(use_fpu, 7, 0);
  CHECK_NO_TRAP(use_wait);
  control(cr0_ts, cr0_em | cr0_mp);
  CHECK_FAULT(use_fpu, 7, 0);
  CHECK_NO_TRAP(use_wait);
  control(cr0_ts | cr0_mp, cr0_em);
  CHECK_FAULT(use_wait, 7, 0);
  control(0, cr0_ts | cr0_em);
  CHECK_NO_TRAP(use_fpu);
  set_cr4(cr4() & ~cr4_osfxsr);
  CHECK_FAULT(use_sse, 6, 0);
  set_cr4(cr4() | cr4_osfxsr);
  control(cr0_em, 0);
  CHECK_FAULT(use_sse, 6, 0);
  control(cr0_ts, cr0_em);
  CHECK_FAULT(use_sse, 7, 0);
  control(0, cr0_ts);
  CHECK_NO_TRAP(use_sse);
}

void floating() {
  control(cr0_ne | cr0_mp, 0);
  CHECK_FAULT(x87_zero_divide, 16, 0);
  {
    const NotCompared here("SDM vol. 1, 8.7.1");
    CHECK_FAULT(x87_zero_divide_next, 16, 0);
  }
  CHECK_NO_TRAP(x87_zero_divide_no_wait);
  asm volatile("fnclex; fninit");
  {
    const NotCompared here("SDM vol. 1, 11.5.2");
    set_cr4(cr4() | cr4_osxmmexcpt);
    CHECK_FAULT(sse_zero_divide, 19, 0);
    set_cr4(cr4() & ~cr4_osxmmexcpt);
    CHECK_FAULT(sse_zero_divide, 6, 0);
  }
  CHECK_NO_TRAP(use_sse_restored);
}

void segments() {
  put_descriptor(free_selector, descriptor(0, 0xFFFFF, 0x13, 0xC0));
  CHECK_FAULT(load_not_present, 11, free_selector);
  CHECK_FAULT(load_stack_not_present, 12, free_selector);
  CHECK_FAULT(load_past_the_limit, 13, 0x7FC8);
  CHECK_FAULT(load_from_empty_ldt, 13, 4);
  CHECK_FAULT(load_a_system_segment, 13, task_selector);
  CHECK_FAULT(load_stack_from_code, 13, kernel_code);
  CHECK_FAULT(load_stack_of_wrong_rpl, 13, kernel_data);
  CHECK_FAULT(task_register_busy, 13, task_selector);
}

void protection() {
  set_gate_access(0x20, 0x0E);
  {
    const NotCompared here(error_code_of_gate_64);
    CHECK_FAULT(gate_not_present, 11, idt_error(0x20));
  }
  set_gate_access(0x20, 0x92);  // a data segment is no gate
  {
    const NotCompared here(error_code_of_gate_64);
    CHECK_FAULT(gate_of_wrong_type, 13, idt_error(0x20));
  }
  set_gate_access(0x20, 0x8E);
  set_gate_selector(0x20, 0);
  CHECK_FAULT(gate_to_null, 13, 0);
  set_gate_selector(0x20, kernel_data);
  CHECK_FAULT(gate_to_data, 13, kernel_data);
  set_gate_selector(0x20, kernel_code);
}

void resume_flag() {
  check_alone("a fault's frame has RF", run(undefined_ud2).flags & flag_rf, flag_rf, "SDM vol. 3, 17.3.1.1");
  check_alone("a #GP's frame has RF", run(load_past_the_limit).flags & flag_rf, flag_rf, "SDM vol. 3, 17.3.1.1");
  check("a trap's frame has no RF", run(breakpoint).flags & flag_rf, 0);
}

}  // namespace

void guest_main() {
  arithmetic();
  traps();
  undefined();
  no_fpu();
  floating();
  segments();
  protection();
  resume_flag();
}
