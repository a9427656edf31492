// A leaf function of a kernel that was compiled without -mno-red-zone: its variable lies below the stack pointer, where
// the CPU pushes the frame of the next interrupt.
#include "tests/guest/runtime/entry.hpp"
#include "tests/guest/runtime/pic.hpp"

namespace {

u32 ticks;

void on_serial(Frame&) {
  ++ticks;
  uart_quiet(com1);
  pic_end(4);
}

[[gnu::naked]] word leaf() {
  asm volatile("movq $0x1234, -16(%rsp)");
  asm volatile("sti; nop; nop; cli");
  asm volatile("movq -16(%rsp), %rax");
  asm volatile("ret");
}

}  // namespace

void guest_main() {
  set_handler(irq_base + 4, on_serial);
  pic_allow(1 << 4);
  uart_raise(com1);
  const word result = leaf();
  check("the interrupt came", ticks, 1);
  check_true("and the variable changed", result != 0x1234);
}
