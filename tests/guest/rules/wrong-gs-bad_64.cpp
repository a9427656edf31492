// An entry that forgets SWAPGS: interrupted in ring 3, the handler counts in the program's memory, not in the CPU's
// own.
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

extern "C" {
word kernel_data_of_cpu[8];   ///< GS:0 counts interrupts
word thread_data_of_user[8];  ///< GS:0 is the program's
}

namespace {

constexpr u32 msr_gs_base = 0xC0000101, msr_kernel_gs_base = 0xC0000102;

[[gnu::naked]] void serial_entry() {
  asm volatile("push %rax");
  asm volatile("push %rdx");
  asm volatile("incq %gs:0");  // GS is still the program's
  asm volatile("movw $0x3F9, %dx; xorl %eax, %eax; outb %al, %dx");
  asm volatile("movb $0x20, %al; outb %al, $0x20");
  asm volatile("pop %rdx");
  asm volatile("pop %rax");
  asm volatile("iretq");
}

}  // namespace

PROBE(wait_in_user, "", "nop; nop", "int $0x80")

void guest_main() {
  set_gate_dpl(0x80, 3);
  set_entry(irq_base + 4, serial_entry);
  write_msr(msr_gs_base, reinterpret_cast<word>(kernel_data_of_cpu));
  write_msr(msr_kernel_gs_base, reinterpret_cast<word>(thread_data_of_user));
  pic_allow(1 << 4);
  uart_raise(com1);
  asm volatile("swapgs");
  const Trap trap = run_user(wait_in_user, flag_if);
  asm volatile("swapgs");
  check("the program came to its end", trap.vector, 0x80);
  check("the kernel counted nothing", kernel_data_of_cpu[0], 0);
  check("the program's memory changed", thread_data_of_user[0], 1);
}
