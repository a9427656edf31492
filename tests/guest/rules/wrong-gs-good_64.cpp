// An entry that executes SWAPGS when it comes from ring 3, and only then.
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

extern "C" {
word kernel_data_of_cpu[8];   ///< GS:0 counts interrupts
word thread_data_of_user[8];  ///< GS:0 is the program's
}

namespace {

constexpr u32 msr_gs_base = 0xC0000101, msr_kernel_gs_base = 0xC0000102;

[[gnu::naked]] void serial_entry() {
  asm volatile("testb $3, 8(%rsp)");
  asm volatile("jz 1f");
  asm volatile("swapgs");
  asm volatile("1: push %rax");
  asm volatile("push %rdx");
  asm volatile("incq %gs:0");
  asm volatile("movw $0x3F9, %dx; xorl %eax, %eax; outb %al, %dx");
  asm volatile("movb $0x20, %al; outb %al, $0x20");
  asm volatile("pop %rdx");
  asm volatile("pop %rax");
  asm volatile("testb $3, 8(%rsp)");
  asm volatile("jz 2f");
  asm volatile("swapgs");
  asm volatile("2: iretq");
}

/// The last word of a program: the kernel goes on with its own GS.
void on_call(Frame& frame) {
  asm volatile("swapgs");
  leave_run(frame);
}

}  // namespace

PROBE(wait_in_user, "", "nop; nop", "int $0x80")
PROBE(count_in_user, "", "incq %gs:0; nop", "int $0x80")

void guest_main() {
  set_gate_dpl(0x80, 3);
  set_handler(0x80, on_call);
  set_entry(irq_base + 4, serial_entry);
  write_msr(msr_gs_base, reinterpret_cast<word>(kernel_data_of_cpu));
  pic_allow(1 << 4);
  uart_raise(com1);
  window();
  check("a kernel without SWAPGS may use GS", kernel_data_of_cpu[0], 1);

  write_msr(msr_kernel_gs_base, reinterpret_cast<word>(thread_data_of_user));
  uart_raise(com1);
  asm volatile("swapgs");
  check("an interrupted program came to its end", run_user(wait_in_user, flag_if).vector, 0x80);
  check("the kernel counted", kernel_data_of_cpu[0], 2);
  uart_raise(com1);
  window();
  check("from ring 0 too", kernel_data_of_cpu[0], 3);
  asm volatile("swapgs");
  check("the program may use its GS", run_user(count_in_user, flag_if).vector, 0x80);
  check("and finds its own memory there", thread_data_of_user[0], 1);
}
