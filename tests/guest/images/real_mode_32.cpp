// Real mode, entered from protected mode: the interrupt table, far calls, wrap of 16-bit offsets, and big real mode,
// whose segments keep the limits they had (SDM vol. 3, 9.9 and 20.1).
#include "tests/guest/runtime/guest.hpp"

extern "C" {
u16 real_results[16];
u32 big_result, real_saved_sp;
void visit_real_mode();
extern const char real_code[], real_code_end[];
extern u8 idt_pointer_saved[6];
u8 idt_pointer_saved[6];
}

// The part that runs in real mode is copied to 1000:0000; results are words from 1000:0800 on.
asm(R"(
.text
.globl visit_real_mode
visit_real_mode:
  pushal
  movl %esp, real_saved_sp
  sidt idt_pointer_saved
  lidt 2f
  ljmp $0x48, $(in_16_bits - real_code)
2:
  .word 0x3FF
  .long 0

.data
.globl real_code
real_code:
.code16
in_16_bits:                # 16-bit protected mode, segments of 64 KiB but FS, which stays big
  movw $0x50, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movw $0x58, %ax
  movw %ax, %fs            # 4 GiB
  movl %cr0, %eax
  andb $0xFE, %al
  movl %eax, %cr0
  ljmp $0x1000, $(in_real_mode - real_code)
in_real_mode:
  movw $0x1000, %ax
  movw %ax, %ds
  movw %ax, %ss
  movw $0xF000, %sp
  xorw %ax, %ax
  movw %ax, %es
  # interrupt 0x60 and the faults 0, 4, 5, 6, 13 go to on_interrupt
  movw $(on_interrupt - real_code), %es:0x180
  movw %ds, %es:0x182
  movw $(on_divide - real_code), %es:0x0
  movw %ds, %es:0x2
  movw $(on_protection - real_code), %es:0x34
  movw %ds, %es:0x36
  movw $(on_undefined - real_code), %es:0x18
  movw %ds, %es:0x1A
  int $0x60
  xorw %dx, %dx
  xorw %cx, %cx
  movw $1, %ax
divide_here:
  divw %cx
  ud2
  # a word at offset FFFF: #GP (interrupt 13), without an error code
  movw $0xFFFF, %bx
  movw %sp, %bp
word_here:
  movw (%bx), %ax
  # big real mode: FS keeps its 4-GiB limit, its base is now 16 times what is loaded
  movl $0x200000, %edx
  movl %fs:(%edx), %eax
  movl %eax, 0x820
  xorw %ax, %ax
  movw %ax, %fs
  movl %fs:(%edx), %eax
  movl %eax, 0x824
  lcall $0x1000, $(far_target - real_code)
  movw %sp, 0x812
  # and back
  movl %cr0, %eax
  orb $1, %al
  movl %eax, %cr0
  ljmpl $0x08, $back
on_interrupt:
  incw 0x800
  pushfw
  popw 0x802
  movw %sp, 0x804
  iretw
on_divide:
  incw 0x806
  movw %sp, %bp
  movw (%bp), %ax
  subw $(divide_here - real_code), %ax
  movw %ax, 0x808
  addw $2, (%bp)
  iretw
on_undefined:
  incw 0x80A
  movw %sp, %bp
  addw $2, (%bp)
  iretw
on_protection:
  incw 0x80C
  subw %sp, %bp
  movw %bp, 0x80E
  movw %sp, %bp
  addw $2, (%bp)
  iretw
far_target:
  incw 0x810
  lretw
.globl real_code_end
real_code_end:
.code32
.text
back:
  movl $0x10, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  movl %eax, %fs
  movl %eax, %gs
  movl real_saved_sp, %esp
  lidt idt_pointer_saved
  popal
  ret
)");

void guest_main() {
  auto* place = reinterpret_cast<u8*>(0x10000);
  for (u32 i = 0; i < 0x1000; ++i) place[i] = 0;
  for (u32 i = 0; i < static_cast<u32>(real_code_end - real_code); ++i) place[i] = static_cast<u8>(real_code[i]);
  auto* far_word = reinterpret_cast<volatile u32*>(0x200000);
  *far_word = 0xCAFEF00D;
  put_descriptor(0x48, descriptor(0x10000, 0xFFFF, 0x9B, 0x00));
  put_descriptor(0x50, descriptor(0x10000, 0xFFFF, 0x93, 0x00));
  put_descriptor(0x58, descriptor(0, 0xFFFFF, 0x93, 0xC0));
  visit_real_mode();
  const auto result = [&](u32 offset) { return u64{*reinterpret_cast<volatile u16*>(place + offset)}; };
  const auto wide = [&](u32 offset) { return u64{*reinterpret_cast<volatile u32*>(place + offset)}; };
  check("INT 60h through the table at 0", result(0x800), 1);
  check("it clears IF and TF", result(0x802) & 0x300, 0);
  check("it pushes three words", result(0x804), 0xF000 - 6);
  check("divide error", result(0x806), 1);
  check("at the division", result(0x808), 0);
  check("undefined opcode", result(0x80A), 1);
  {
    const NotCompared here("SDM vol. 3, 20.1.1 and 5.3; QEMU's TCG checks no limits");
    check("a word at FFFF: #GP", result(0x80C), 1);
    check("its frame has no error code", result(0x80E), 6);
  }
  check("big real mode: beyond 1 MiB", wide(0x820), 0xCAFEF00D);
  check("after FS is loaded too", wide(0x824), 0xCAFEF00D);
  check("far call", result(0x810), 1);
  check("the stack is even", result(0x812), 0xF000);
}
