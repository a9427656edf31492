// Code that writes code: before itself, into its own block, over a page's end, from another page, through REP MOVS
// (SDM vol. 3, 8.1.3 and 11.6: on one processor a jump is enough, and since the P6 not even that is needed).
#include "tests/guest/runtime/guest.hpp"

extern "C" {
alignas(4096) u8 code_page[3 * 4096];
}

namespace {

using Function = u32 (*)();

/// mov eax, value; ret
void write_constant(u8* at, u32 value) {
  at[0] = 0xB8;
  *reinterpret_cast<volatile u32*>(at + 1) = value;
  at[5] = 0xC3;
}
u32 call(const u8* at) { return reinterpret_cast<Function>(const_cast<u8*>(at))(); }

}  // namespace

// The store changes the very next instruction: `movl $1, %eax` becomes `movl $2, %eax`.
asm(R"(
.data
.globl next_instruction
next_instruction:
  movb $2, 1f + 1
1:
  movl $1, %eax
  movb $1, 1b + 1
  ret
.globl inside_a_loop
inside_a_loop:            # each round adds the loop's own immediate, then raises it
  xorl %eax, %eax
  movl $10, %ecx
2:
  addl $0, %eax
  incb 2b + 2
  decl %ecx
  jnz 2b
  movb $0, 2b + 2
  ret
.globl by_string
by_string:                # REP MOVSB over the code that follows it
  push %)" REGISTER_DI R"(; push %)" REGISTER_SI R"(
  movl $4f, %esi
  movl $3f, %edi
  movl $5, %ecx
  cld
  rep movsb
3:
  movl $1, %eax
  pop %)" REGISTER_SI R"(; pop %)" REGISTER_DI R"(
  ret
4:
  movl $7, %eax
)");
extern "C" u32 next_instruction();
extern "C" u32 inside_a_loop();
extern "C" u32 by_string();

void guest_main() {
  check("a store into the next instruction", next_instruction(), 2);
  check("again", next_instruction(), 2);
  check("a loop that changes itself", inside_a_loop(), 45);
  check("again, from the start", inside_a_loop(), 45);
  check("REP MOVSB over what follows", by_string(), 7);

  u8* middle = code_page + 100;
  bool good = true;
  for (u32 round = 0; round < 1000; ++round) {
    write_constant(middle, round);
    good = good && call(middle) == round;
  }
  check_true("a thousand rewritings", good);

  u8* across = code_page + 4096 - 3;  // opcode and two bytes here, the rest on the next page
  write_constant(across, 0x11111111);
  check("code over a page's end", call(across), 0x11111111);
  *reinterpret_cast<volatile u8*>(code_page + 4096) = 0x22;
  check("its second half rewritten", call(across), 0x11221111);
  *reinterpret_cast<volatile u8*>(code_page + 4095) = 0x33;
  check("its first half rewritten", call(across), 0x11223311);

  write_constant(code_page + 8192, 5);
  write_constant(code_page + 8192 + 64, 6);
  check("two functions of one page", call(code_page + 8192) * 10 + call(code_page + 8192 + 64), 56);
  *reinterpret_cast<volatile u8*>(code_page + 8192 + 65) = 8;
  check("one of them rewritten", call(code_page + 8192) * 10 + call(code_page + 8192 + 64), 58);
  code_page[8192 + 2000] = 1;
  check("data beside them", call(code_page + 8192), 5);
}
