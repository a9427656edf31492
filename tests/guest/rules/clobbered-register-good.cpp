// COM1's interrupt leaves all registers as they were. An exception and an INT n that change some do so on purpose, and
// so does a handler that sends the interrupted code elsewhere (restartable sequences, signals).
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

extern "C" {
u32 ticks;
word seen, restarted;
extern const char restart_here[];
}

namespace {

[[gnu::naked]] void serial_entry() {
  asm volatile("push %" R "ax");
  asm volatile("push %" R "dx");
  asm volatile("push %" R "bx");
  asm volatile("movl ticks, %ebx");
  asm volatile("incl %ebx");
  asm volatile("movl %ebx, ticks");
  asm volatile("movw $0x3F9, %dx; xorl %eax, %eax; outb %al, %dx");
  asm volatile("movb $0x20, %al; outb %al, $0x20");
  asm volatile("pop %" R "bx");
  asm volatile("pop %" R "dx");
  asm volatile("pop %" R "ax");
  asm volatile(IRET);
}

[[gnu::naked]] void service_entry() {
  asm volatile("movl $0x5678, %eax");  // a system call's result
  asm volatile(IRET);
}

void restart(Frame& frame) {
  uart_quiet(com2);
  pic_end(3);
  frame.ip = reinterpret_cast<word>(restart_here);
  frame.ax = 1;
}

}  // namespace

void guest_main() {
  set_entry(irq_base + 4, serial_entry);
  set_entry(0x80, service_entry);
  set_handler(irq_base + 3, restart);
  pic_allow(1 << 4 | 1 << 3);

  uart_raise(com1);
  asm volatile("movl $0x1234, %%ebx; sti; nop; nop; cli; mov %%" R "bx, seen" ::: "rbx", "memory");
  check("the interrupt came", ticks, 1);
  check("and left the register alone", seen, 0x1234);

  word result;
  asm volatile("int $0x80" : "=a"(result) : : "memory");
  check("a system call answers in a register", result, 0x5678);

  uart_raise(com2);
  asm volatile(R"(
    xorl %%eax, %%eax
    sti
    nop
    nop
  1:
    jmp 1b
  .globl restart_here
  restart_here:
    cli
  )"
               : "=a"(restarted)
               :
               : "memory");
  check("the handler sends the interrupted code elsewhere", restarted, 1);
}
