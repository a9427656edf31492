// SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS, IST in 64-bit mode (SDM vol. 2; vol. 3, 5.8.8 and 6.14.5).
#include "tests/guest/runtime/guest.hpp"

extern "C" {
word entry_rcx, entry_r11, entry_flags, entry_cs, entry_ss, entry_sp, exit_flags;
alignas(16) u8 entry_stack[4096];
alignas(16) u8 ist_stack[4096];
extern const char syscall_entry[], sysenter_entry[], after_syscall[], after_sysenter[];
}

asm(R"(
.text
.globl syscall_entry
syscall_entry:
  movq %rcx, entry_rcx
  movq %r11, entry_r11
  movl %cs, %eax
  movq %rax, entry_cs
  movl %ss, %eax
  movq %rax, entry_ss
  movq %rsp, entry_sp
  movq %rsp, %rdx
  movq $entry_stack + 4096, %rsp
  pushfq
  popq entry_flags
  movq %rdx, %rsp
  movq entry_rcx, %rcx
  movq entry_r11, %r11
  sysretq
.globl sysenter_entry
sysenter_entry:
  movl %cs, %eax
  movq %rax, entry_cs
  movl %ss, %eax
  movq %rax, entry_ss
  movq %rsp, entry_sp
  pushfq
  popq entry_flags
  movq $after_sysenter, %rdx
  movq guest_user_stack, %rcx
  sysexitq
)");
PROBE(do_syscall, "stc", "syscall", ".globl after_syscall; after_syscall: pushfq; popq exit_flags; int $0x80")
PROBE(do_sysenter, "stc", "sysenter", ".globl after_sysenter; after_sysenter: int $0x80")
PROBE(swap_in_user, "", "swapgs", "int $0x80")
PROBE(undefined, "", "ud2", "")

void guest_main() {
  set_gate_dpl(0x80, 3);
  check_trap("SYSCALL without SCE", run_user(do_syscall), 6, 0, do_syscall_at);
  write_msr(msr_efer, read_msr(msr_efer) | 1);
  write_msr(msr_star, u64{0x18 | 3} << 48 | u64{0x08} << 32);
  write_msr(msr_lstar, reinterpret_cast<word>(syscall_entry));
  write_msr(msr_fmask, flag_if | flag_cf);

  Trap trap = run_user(do_syscall, flag_if);
  check("SYSCALL and back", trap.vector, 0x80);
  check("RCX holds the return address", entry_rcx, reinterpret_cast<word>(after_syscall));
  check("R11 holds the flags", entry_r11 & (flag_if | flag_cf), flag_if | flag_cf);
  check("FMASK clears them", entry_flags & (flag_if | flag_cf), 0);
  check("CS of STAR", entry_cs, 0x08);
  check("SS of STAR", entry_ss, 0x10);
  check("SYSRET: CS", trap.cs, user_code);
  check("SYSRET: flags from R11", exit_flags & (flag_if | flag_cf), flag_if | flag_cf);

  {
    const NotCompared here("SDM vol. 2, SYSENTER; AMD has none in 64-bit mode");
    write_msr(0x174, 0);
    check_trap("SYSENTER with CS 0", run_user(do_sysenter), 13, 0, do_sysenter_at);
    write_msr(0x174, 0x08);
    write_msr(0x175, reinterpret_cast<word>(entry_stack + 4096));
    write_msr(0x176, reinterpret_cast<word>(sysenter_entry));
    trap = run_user(do_sysenter, flag_if);
    check("SYSENTER and back", trap.vector, 0x80);
    check("its stack pointer", entry_sp, reinterpret_cast<word>(entry_stack + 4096));
    check("CS and SS", entry_cs << 16 | entry_ss, 0x080010);
    check("IF is clear", entry_flags & flag_if, 0);
    check("SYSEXIT: CS", trap.cs, 0x2B);
    check("SYSEXIT: SS", trap.ss, 0x33);
  }

  write_msr(0xC0000101, 0x1111);
  write_msr(0xC0000102, 0x2222);
  asm volatile("swapgs");
  check("SWAPGS swaps", read_msr(0xC0000101) << 16 | read_msr(0xC0000102), 0x22221111);
  check_trap("SWAPGS in ring 3", run_user(swap_in_user), 13, 0, swap_in_user_at);

  // IST: this stack, whatever ring it comes from.
  guest_tss.ist[2] = reinterpret_cast<word>(ist_stack + sizeof ist_stack - 8);
  set_gate_ist(6, 3);
  trap = run(undefined);
  check("IST from ring 0: its stack, aligned by 16", trap.frame_sp,
        ((reinterpret_cast<word>(ist_stack + sizeof ist_stack - 8)) & ~word{15}) - 6 * 8 + 8);
  check("SS in the frame", trap.ss, kernel_data);
  trap = run_user(undefined);
  check("IST from ring 3", trap.frame_sp,
        ((reinterpret_cast<word>(ist_stack + sizeof ist_stack - 8)) & ~word{15}) - 5 * 8);
  check("SS in the frame is ring 3's", trap.ss, user_data);
}
