// Limits and rights of segments, which only 32-bit modes check (SDM vol. 3, 5.3 to 5.5).
#include "tests/guest/runtime/guest.hpp"

PROBE(read_up_to_the_limit, "movl $0x48, %eax; movl %eax, %fs", "movl %fs:0xFFC, %eax", "")
PROBE(read_past_the_limit, "movl $0x48, %eax; movl %eax, %fs", "movl %fs:0xFFD, %eax", "")
PROBE(write_read_only, "movl $0x50, %eax; movl %eax, %fs", "movl %eax, %fs:0", "")
PROBE(read_execute_only, "movl $0x58, %eax", "movl %eax, %fs", "")
PROBE(write_code, "movl $0x60, %eax; movl %eax, %fs", "movl %eax, %fs:0", "")
PROBE(read_code, "movl $0x60, %eax; movl %eax, %fs", "movl %fs:0, %eax", "")
PROBE(expand_down_below, "movl $0x68, %eax; movl %eax, %fs", "movl %fs:0xFFF, %eax", "")
PROBE(expand_down_above, "movl $0x68, %eax; movl %eax, %fs", "movl %fs:0x1000, %eax", "")
PROBE(expand_down_word_end, "movl $0x70, %eax; movl %eax, %fs", "movl %fs:0xFFFC, %eax", "")
PROBE(expand_down_word_past_the_end, "movl $0x70, %eax; movl %eax, %fs", "movl %fs:0xFFFD, %eax", "")
PROBE(null_segment_use, "xorl %eax, %eax; movl %eax, %fs", "movl %fs:0, %eax", "")
PROBE(load_of_two_bytes_over_the_end, "movl $0x48, %eax; movl %eax, %fs", "movw %fs:0xFFF, %ax", "")
PROBE(string_over_the_end, "pushl %ds; movl $0x48, %eax; movl %eax, %ds; movl $0xFF8, %esi; movl $4, %ecx; cld",
      "rep lodsl", "popl %ds")
PROBE(jump_past_the_code_limit, "", "ljmp $0x78, $0x1000", "")

namespace {
void string_trap(Frame& frame) {
  check("REP stops at the element that faults: ECX", frame.cx, 2);
  check("REP stops at the element that faults: ESI", frame.si, 0x1000);
  leave_run(frame);
}
}  // namespace

// In ring 0 the fault's own frame would not fit the stack, so #SS is looked at from ring 3.
PROBE(user_stack_past_the_limit, "movl $0x83, %eax; movl %eax, %ss; movl $0x1004, %esp", "popl %eax", "")
PROBE(user_stack_frame_access, "movl $0x83, %eax; movl %eax, %ss; movl $0xFFE, %ebp", "movl (%ebp), %eax", "")

void guest_main() {
  put_descriptor(0x48, descriptor(0x100000, 0xFFF, 0x93, 0x40));
  put_descriptor(0x50, descriptor(0x100000, 0xFFF, 0x91, 0x40));
  put_descriptor(0x58, descriptor(0x100000, 0xFFF, 0x99, 0x40));
  put_descriptor(0x60, descriptor(0x100000, 0xFFF, 0x9B, 0x40));
  put_descriptor(0x68, descriptor(0x100000, 0xFFF, 0x97, 0x40));
  put_descriptor(0x70, descriptor(0x100000, 0xFFF, 0x97, 0x00));
  put_descriptor(0x78, descriptor(0x100000, 0xFFF, 0x9B, 0x40));
  put_descriptor(0x80, descriptor(0x100000, 0xFFF, 0xF3, 0x40));

  CHECK_NO_TRAP(read_up_to_the_limit);
  CHECK_FAULT(read_past_the_limit, 13, 0);
  CHECK_FAULT(write_read_only, 13, 0);
  CHECK_FAULT(read_execute_only, 13, 0x58);
  CHECK_FAULT(write_code, 13, 0);
  CHECK_NO_TRAP(read_code);
  CHECK_FAULT(expand_down_below, 13, 0);
  CHECK_NO_TRAP(expand_down_above);
  CHECK_NO_TRAP(expand_down_word_end);
  CHECK_FAULT(expand_down_word_past_the_end, 13, 0);
  CHECK_FAULT(null_segment_use, 13, 0);
  CHECK_FAULT(load_of_two_bytes_over_the_end, 13, 0);
  set_handler(13, string_trap);
  CHECK_FAULT(string_over_the_end, 13, 0);
  set_handler(13, nullptr);
  CHECK_FAULT(jump_past_the_code_limit, 13, 0);
  CHECK_USER_FAULT(user_stack_past_the_limit, 12, 0);
  CHECK_USER_FAULT(user_stack_frame_access, 12, 0);
}
