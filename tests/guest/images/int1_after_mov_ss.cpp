// MOV SS holds back the debug exception of a breakpoint on its operand (SDM vol. 3, 6.8.3); INT1 behind it takes it
// along.
#include "tests/guest/runtime/guest.hpp"

extern "C" {
u16 stack_selector;
}

PROBE(load_and_nop, "", "mov stack_selector, %ss\n nop", "nop")
PROBE(load_and_int1, "", "mov stack_selector, %ss\n .byte 0xF1", "nop")

namespace {

constexpr word b0 = 1, bs = 0x4000;
constexpr word cleared = 0xFFFF0FF0;
constexpr word read_or_write_two_bytes = 0x400 | 1 | 3u << 16 | 1u << 18;  // DR0

}  // namespace

void guest_main() {
  asm volatile("mov %%ss, %0" : "=m"(stack_selector));
  set_dr0(reinterpret_cast<word>(&stack_selector));
  set_dr6(cleared);
  set_dr7(read_or_write_two_bytes);
  const NotCompared here("SDM vol. 3, 6.8.3");
  check_trap("after one more instruction", run(load_and_nop), 1, 0, load_and_nop_after);
  check("B0", dr6() & (b0 | bs), b0);
  set_dr6(cleared);
  check_trap("with INT1", run(load_and_int1), 1, 0, load_and_int1_after);
  check("B0 with INT1", dr6() & (b0 | bs), b0);
  set_dr7(0x400);
}
