// Two programs in ring 3, each with a stack of its own in the kernel. The switch also tells the TSS.
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

#if GUEST_64
#define SAVE                                                                                          \
  "push %rax; push %rbx; push %rcx; push %rdx; push %rbp; push %rsi; push %rdi; push %r8; push %r9; " \
  "push %r10; push %r11; push %r12; push %r13; push %r14; push %r15"
#define RESTORE                                                                              \
  "pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8; pop %rdi; " \
  "pop %rsi; pop %rbp; pop %rdx; pop %rcx; pop %rbx; pop %rax"
#define SCHEDULE "mov %rsp, %rdi; and $-16, %rsp; call schedule"
constexpr int saved_words = 15;
#else
#define SAVE "pusha"
#define RESTORE "popa"
#define SCHEDULE "push %esp; call schedule"
constexpr int saved_words = 8;
#endif

namespace {

struct Thread {
  word* stack_top;        ///< in the kernel
  word* saved = nullptr;  ///< its stack pointer there while another runs
};
alignas(16) word second_stack[512];
alignas(16) word second_user_stack[512];
Thread threads[2];
int running;
u32 switches;

}  // namespace

extern "C" word* schedule(word* saved) {
  pic_end(4);
  threads[running].saved = saved;
  running = 1 - running;
  if (++switches == 1) uart_raise(com1);  // the next tick
  guest_tss.sp0 = reinterpret_cast<word>(threads[running].stack_top);
  return threads[running].saved;
}

namespace {

[[gnu::naked]] void tick_entry() {
  asm volatile(SAVE);
  asm volatile(SCHEDULE);
  asm volatile("mov %" R "ax, %" R "sp");
  asm volatile(RESTORE);
  asm volatile(IRET);
}

}  // namespace

PROBE(first_program, "nop; movl $1, %eax", "int $0x80", "")
PROBE(second_program, "nop; movl $2, %eax", "int $0x80", "")

namespace {

void prepare_second() {
  word* at = second_stack + 512;
  threads[1].stack_top = at;
  *--at = user_data;
  *--at = reinterpret_cast<word>(second_user_stack + 512);
  *--at = flag_if | 2;
  *--at = user_code;
  *--at = reinterpret_cast<word>(second_program);
  for (int i = 0; i < saved_words; ++i) *--at = 0;
  threads[1].saved = at;
}

}  // namespace

void guest_main() {
  set_gate_dpl(0x80, 3);
  set_entry(irq_base + 4, tick_entry);
  threads[0].stack_top = reinterpret_cast<word*>(kernel_stack_top());
  prepare_second();
  pic_allow(1 << 4);
  uart_raise(com1);
  const Trap trap = run_user(first_program, flag_if);
  check("two ticks, two switches", switches, 2);
  check("the first program goes on", trap.ax, 1);
}
