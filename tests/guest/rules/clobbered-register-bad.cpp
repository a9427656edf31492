// The entry of COM1's interrupt saves two registers and uses three: the interrupted code loses the third.
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

extern "C" {
u32 ticks;
word seen;
}

namespace {

[[gnu::naked]] void serial_entry() {
  asm volatile("push %" R "ax");
  asm volatile("push %" R "dx");
  asm volatile("movl ticks, %ebx");  // RBX is the interrupted code's
  asm volatile("incl %ebx");
  asm volatile("movl %ebx, ticks");
  asm volatile("movw $0x3F9, %dx; xorl %eax, %eax; outb %al, %dx");
  asm volatile("movb $0x20, %al; outb %al, $0x20");
  asm volatile("pop %" R "dx");
  asm volatile("pop %" R "ax");
  asm volatile(IRET);
}

}  // namespace

void guest_main() {
  set_entry(irq_base + 4, serial_entry);
  pic_allow(1 << 4);
  uart_raise(com1);
  asm volatile("movl $0x1234, %%ebx; sti; nop; nop; cli; mov %%" R "bx, seen" ::: "rbx", "memory");
  check("the interrupt came", ticks, 1);
  check("and changed the register", seen, 1);
}
