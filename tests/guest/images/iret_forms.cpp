// IRET: within a ring, to another, and everything that it refuses (SDM vol. 2, IRET).
#include "tests/guest/runtime/guest.hpp"

#if GUEST_64
#define IRET "iretq"
#define USER_CS "0x2B"
#define PUSH_FLAGS "pushfq"
#define STACK_SAME "movq %rsp, %rdx; pushq $0x10; pushq %rdx;"
#else
#define IRET "iret"
#define USER_CS "0x1B"
#define PUSH_FLAGS "pushfl"
#define STACK_SAME ""
#endif
#define TO(cs, ip) PUSH_FLAGS "; push $" cs "; push $" #ip
#define OUTER(ss, cs) "movl $guest_user_stack_here, %edx; push $" #ss "; push %" REGISTER_D "; " TO(cs, in_user)
#if GUEST_64
#define REGISTER_D "rdx"
#else
#define REGISTER_D "edx"
#endif

PROBE(same_ring, STACK_SAME TO("0x08", same_ring_after), IRET, "")
PROBE(null_code, STACK_SAME TO("0x00", same_ring_after), IRET, "")
PROBE(data_as_code, STACK_SAME TO("0x10", same_ring_after), IRET, "")
PROBE(past_the_table, STACK_SAME TO("0x7F08", same_ring_after), IRET, "")
PROBE(code_not_present, STACK_SAME TO("0x48", same_ring_after), IRET, "")
PROBE(outer, OUTER(0x23, USER_CS), IRET, "")
PROBE(outer_null_stack, OUTER(0x03, USER_CS), IRET, "")
PROBE(outer_stack_of_ring_0, OUTER(0x10, USER_CS), IRET, "")
PROBE(outer_stack_not_present, OUTER(0x53, USER_CS), IRET, "")
PROBE(outer_stack_is_code, OUTER(0x1B, USER_CS), IRET, "")
PROBE(outer_wrong_rpl, OUTER(0x23, "0x09"), IRET, "")
PROBE(to_inner_ring, PUSH_FLAGS "; push $0x08; push $0", IRET, "")
PROBE(no_nt_in_64, STACK_SAME PUSH_FLAGS "; orl $0x4000, (%" REGISTER_SP "); popf; " TO("0x08", no_nt_in_64_after),
      IRET, "")
asm(".text; .globl in_user; in_user: int $0x80; .bss; .skip 4096; .globl guest_user_stack_here; guest_user_stack_here: "
    ".skip 64");
extern "C" const char in_user[], guest_user_stack_here[];

#if GUEST_64
// A frame of which the last two words lie on a page that is not there: RSP stays where it was.
PROBE(frame_over_a_hole, "movq %rsp, %rbx; movq $0x20000FE8, %rsp", "iretq", "")
extern "C" u64 guest_boot_tables[];
alignas(4096) static u64 small_table[512];
alignas(4096) static u64 half_a_frame[512];
alignas(16) static u8 fault_stack[4096];

static void fault_in_the_middle() {
  guest_boot_tables[1024 + 256] = reinterpret_cast<word>(small_table) | 3;
  small_table[0] = reinterpret_cast<word>(half_a_frame) | 3;
  half_a_frame[509] = reinterpret_cast<word>(frame_over_a_hole_after);
  half_a_frame[510] = kernel_code;
  half_a_frame[511] = 2;
  set_cr3(cr3());
  guest_tss.ist[0] = reinterpret_cast<word>(fault_stack + sizeof fault_stack);
  set_gate_ist(14, 1);
  const Trap trap = run(frame_over_a_hole);
  check_trap("a page fault in the middle of IRET", trap, 14, 0, frame_over_a_hole_at);
  check("    CR2", trap.cr2, 0x20001000);
  check("    RSP has not moved", trap.sp, 0x20000FE8);
  set_gate_ist(14, 0);
}
#endif

void guest_main() {
  set_gate_dpl(0x80, 3);
  put_descriptor(0x48, guest_gdt[kernel_code / 8] & ~(u64{0x80} << 40));
  put_descriptor(0x50, guest_gdt[user_data / 8] & ~(u64{0x80} << 40));

#if GUEST_64
  CHECK_NO_TRAP(same_ring);
#endif
  CHECK_FAULT(null_code, 13, 0);
  CHECK_FAULT(data_as_code, 13, 0x10);
  CHECK_FAULT(past_the_table, 13, 0x7F08);
  CHECK_FAULT(code_not_present, 11, 0x48);

  const Trap trap = run(outer);
  check("to ring 3: it runs there", trap.vector, 0x80);
  check("    CS", trap.cs, user_code);
  check("    SS", trap.ss, user_data);
  check("    SP", trap.sp, reinterpret_cast<word>(guest_user_stack_here));
  CHECK_FAULT(outer_null_stack, 13, 0);
  CHECK_FAULT(outer_stack_of_ring_0, 13, 0x10);
  {
    const NotCompared here("SDM vol. 2, IRET");
    CHECK_FAULT(outer_stack_not_present, 12, 0x50);
  }
  CHECK_FAULT(outer_stack_is_code, 13, 0x18);
  CHECK_FAULT(outer_wrong_rpl, 13, 0x08);
  CHECK_USER_FAULT(to_inner_ring, 13, 0x08);
#if GUEST_64
  CHECK_FAULT(no_nt_in_64, 13, 0);
  fault_in_the_middle();
#endif
}
