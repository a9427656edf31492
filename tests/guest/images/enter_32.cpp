// ENTER takes the frame pointer from all of ESP, also on a stack of 16 bits, which uses and changes only SP (SDM
// vol. 2, ENTER).
#include "tests/guest/runtime/guest.hpp"

extern "C" {
u8 small_stack[0x10000];
u32 saved_stack_segment, saved_sp, frame_pointer, stack_pointer;
}

#define ON_SMALL_STACK(name, stack, instruction)                                                           \
  asm(".text\n.globl " #name "\n" #name                                                                    \
      ": push %ebp; movl %esp, saved_sp; movl %ss, %eax; movl %eax, saved_stack_segment\n"                 \
      "  movl $0x48, %eax; movl %eax, %ss; movl $" #stack ", %esp; movl $0x56780100, %ebp\n  " instruction \
      "\n  movl %ebp, frame_pointer; movl %esp, stack_pointer; movl saved_stack_segment, %eax\n"           \
      "  movl %eax, %ss; movl saved_sp, %esp; pop %ebp; ret\n");                                           \
  extern "C" void name();
ON_SMALL_STACK(enter_flat, 0x12348000, "enter $8, $0")
ON_SMALL_STACK(enter_nested, 0x12348000, "enter $8, $3")
ON_SMALL_STACK(enter_words, 0x12348000, ".byte 0x66; enter $8, $3")
ON_SMALL_STACK(enter_at_zero, 0x12340000, "enter $8, $3")

namespace {
u32 on_stack(u16 offset) {
  u32 value = 0;
  for (unsigned i = 0; i < 4; ++i) value |= u32{small_stack[u16(offset + i)]} << (8 * i);
  return value;
}
void fill(u16 offset, u32 value) {
  for (unsigned i = 0; i < 4; ++i) small_stack[u16(offset + i)] = u8(value >> (8 * i));
}
}  // namespace

void guest_main() {
  put_descriptor(free_selector, descriptor(static_cast<u32>(reinterpret_cast<word>(small_stack)), 0xFFFF, 0x93, 0x00));
  fill(0x00FC, 0x11111111);
  fill(0x00F8, 0x22222222);

  enter_flat();
  check("EBP is all of ESP", frame_pointer, 0x12347FFC);
  check("SP is below it", stack_pointer, 0x12347FF4);
  check("the old EBP is pushed", on_stack(0x7FFC), 0x56780100);

  enter_nested();
  check("nested: EBP is all of ESP", frame_pointer, 0x12347FFC);
  check("nested: SP is below four words of the frame", stack_pointer, 0x12347FE8);
  check("nested: the frame of level 1 is copied", on_stack(0x7FF8), 0x11111111);
  check("nested: the frame of level 2 too", on_stack(0x7FF4), 0x22222222);
  check("nested: the own frame is all of ESP", on_stack(0x7FF0), 0x12347FFC);

  fill(0x00FC, 0x33334444);
  enter_words();
  check("16 bits: EBP keeps its high half", frame_pointer, 0x56787FFE);
  check("16 bits: SP is below four words of the frame", stack_pointer, 0x12347FF0);
  check("16 bits: frames are words", on_stack(0x7FFA), 0x33334444);

  enter_at_zero();
  check("over the end: SP alone wraps", stack_pointer, 0x1234FFE8);
  check("over the end: the old EBP is pushed", on_stack(0xFFFC), 0x56780100);
  const NotCompared here("SDM vol. 1, 6.2.3: PUSH changes SP alone");
  check("over the end: EBP is ESP as PUSH left it", frame_pointer, 0x1234FFFC);
  check("over the end: the own frame too", on_stack(0xFFF0), 0x1234FFFC);
}
