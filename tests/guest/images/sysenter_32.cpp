// SYSENTER and SYSEXIT of 32-bit mode (SDM vol. 2).
#include "tests/guest/runtime/guest.hpp"

extern "C" {
u32 entry_cs, entry_ss, entry_sp, entry_flags;
alignas(16) u8 entry_stack[4096];
extern const char sysenter_entry[], after_sysenter[];
}
asm(R"(
.text
.globl sysenter_entry
sysenter_entry:
  movl %cs, %eax
  movl %eax, entry_cs
  movl %ss, %eax
  movl %eax, entry_ss
  movl %esp, entry_sp
  pushfl
  popl entry_flags
  movl $after_sysenter, %edx
  movl guest_user_stack, %ecx
  sysexit
)");
PROBE(do_sysenter, "", "sysenter", ".globl after_sysenter; after_sysenter: int $0x80")
PROBE(sysexit_in_user, "", "sysexit", "")

void guest_main() {
  set_gate_dpl(0x80, 3);
  write_msr(0x174, 0);
  check_trap("SYSENTER with CS 0", run_user(do_sysenter), 13, 0, do_sysenter_at);
  write_msr(0x174, 0x08);
  write_msr(0x175, reinterpret_cast<word>(entry_stack + 4096));
  write_msr(0x176, reinterpret_cast<word>(sysenter_entry));
  const Trap trap = run_user(do_sysenter, flag_if);
  check("SYSENTER and back", trap.vector, 0x80);
  check("CS and SS", entry_cs << 16 | entry_ss, 0x080010);
  check("its stack pointer", entry_sp, reinterpret_cast<word>(entry_stack + 4096));
  check("IF is clear", entry_flags & flag_if, 0);
  check("SYSEXIT: CS", trap.cs, 0x1B);
  check("SYSEXIT: SS", trap.ss, 0x23);
  CHECK_USER_FAULT(sysexit_in_user, 13, 0);
}
