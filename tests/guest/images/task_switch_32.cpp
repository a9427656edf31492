// Hardware tasks: JMP, CALL and IRET between them, a task gate in the IDT, what the switch checks (SDM vol. 3, ch. 7).
#include "tests/guest/runtime/guest.hpp"

extern "C" {
Tss other_tss;
alignas(16) u8 other_stack[4096];
u32 other_link, other_flags, other_cr0, other_runs, other_error, mode_seen;
extern const char other_entry[], other_gate_entry[];
}

constexpr u16 other_selector = 0x48, gate_selector = 0x50, bad_selector = 0x58;

asm(R"(
.text
.globl other_entry
other_entry:
  incl other_runs
  pushfl
  popl other_flags
  movl %cr0, %eax
  movl %eax, other_cr0
  movzwl other_tss, %eax
  movl %eax, other_link
  cmpl $0, mode_seen
  jne 1f
  iret                     # NT is set: back along the link
  jmp other_entry
1:
  ljmp $0x38, $0
  jmp other_entry
.globl other_gate_entry
other_gate_entry:          # a fault with an error code came through a task gate
  popl other_error
  incl other_runs
  movl guest_tss + 32, %eax  # its EIP: step over the two bytes of the faulting instruction
  addl $2, guest_tss + 32
  iret
  jmp other_gate_entry
)");
PROBE(call_task, "movl $0x1111, %ebx; movl $0x2222, %esi; clts", "lcall $0x48, $0", "")
PROBE(call_task_gate, "", "lcall $0x50, $0", "")
PROBE(jump_task, "", "ljmp $0x48, $0", "")
PROBE(call_bad, "", "lcall $0x58, $0", "")
PROBE(fault_to_task, "movl $0x7FC8, %eax", "movl %eax, %ds", "")
PROBE(nested_iret, "pushf; orl $0x4000, (%esp); popf", "iret", "")

namespace {

void reset(const char* entry) {
  other_tss = {};
  other_tss.ip = reinterpret_cast<word>(entry);
  other_tss.sp = reinterpret_cast<word>(other_stack + sizeof other_stack);
  other_tss.flags = 2;
  other_tss.es = other_tss.ss = other_tss.ds = other_tss.fs = other_tss.gs = kernel_data;
  other_tss.cs = kernel_code;
  other_tss.io_map = sizeof other_tss;
  put_descriptor(other_selector, descriptor(reinterpret_cast<word>(&other_tss), sizeof other_tss - 1, 0x89, 0));
  set_cr0(cr0() & ~cr0_ts);
}
u8 type_of(u16 selector) { return static_cast<u8>(guest_gdt[selector / 8] >> 40 & 0xF); }

}  // namespace

void guest_main() {
  reset(other_entry);
  CHECK_NO_TRAP(call_task);
  check("the task ran", other_runs, 1);
  check("its link is our TSS", other_link, task_selector);
  check("NT is set in it", other_flags & flag_nt, flag_nt);
  check("TS is set by the switch", other_cr0 & cr0_ts, cr0_ts);
  check("after IRET it is available", type_of(other_selector), 9);
  check("we are busy", type_of(task_selector), 11);
  check("our state was saved: EBX", guest_tss.bx, 0x1111);
  check("ESI", guest_tss.si, 0x2222);
  check("EIP behind the call", guest_tss.ip, reinterpret_cast<word>(call_task_after));
  check("NT is clear in its saved flags", other_tss.flags & flag_nt, 0);

  reset(other_entry);
  put_descriptor(gate_selector, gate(other_selector, 0, 0x85));
  CHECK_NO_TRAP(call_task_gate);
  check("through a task gate", other_runs, 2);

  reset(other_entry);
  mode_seen = 1;
  CHECK_NO_TRAP(jump_task);
  check("JMP: there and back", other_runs, 3);
  check("NT is clear", other_flags & flag_nt, 0);
  check("it is available again", type_of(other_selector), 9);
  mode_seen = 0;

  reset(other_gate_entry);
  set_gate_selector(13, other_selector);
  set_gate_access(13, 0x85);
  CHECK_NO_TRAP(fault_to_task);
  check("#GP through a task gate: the task ran", other_runs, 4);
  check("its error code is on the task's stack", other_error, 0x7FC8);
  set_gate_selector(13, kernel_code);
  set_gate_access(13, 0x8E);

  // What a switch refuses.
  put_descriptor(bad_selector, guest_gdt[other_selector / 8] | u64{2} << 40);  // busy
  CHECK_FAULT(call_bad, 13, bad_selector);
  put_descriptor(bad_selector, guest_gdt[other_selector / 8] & ~(u64{0x80} << 40));
  CHECK_FAULT(call_bad, 11, bad_selector);
  put_descriptor(bad_selector, descriptor(reinterpret_cast<word>(&other_tss), 0x66, 0x89, 0));
  CHECK_FAULT(call_bad, 10, bad_selector);
  guest_tss.link = kernel_data;
  CHECK_FAULT(nested_iret, 10, kernel_data);
  reset(other_entry);
  guest_tss.link = other_selector;  // available: IRET wants a busy one
  CHECK_FAULT(nested_iret, 10, other_selector);
  guest_tss.link = 0;
}
