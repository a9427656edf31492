// RF and REP: what comes between two iterations pushes 1, so that an instruction breakpoint on the REP instruction is
// met once (SDM vol. 3, 17.3.1.1). QEMU pushes 0 and meets it again.
#include "tests/guest/runtime/apic.hpp"

extern "C" const char rep_here[];

namespace {

constexpr u8 timer_vector = 0x41;
constexpr word all_clear = 0xFFFF0FF0;
u8 bytes[4096];
volatile u32 traps, ticks, with_flag;

/// Fills `count` of them, with interrupts on if they come.
[[gnu::noinline]] void fill(word count, word with_flags = 0) {
  void* at = bytes;
  asm volatile("pushf; or %[flags], (%%" REGISTER_SP
               ")\n popf\n nop\n"
               ".globl rep_here\n rep_here: rep stosb\n"
               "pushf; andl $~0x300, (%%" REGISTER_SP "); popf"
               : "+D"(at), "+c"(count)
               : "a"(0), [flags] "r"(with_flags)
               : "memory", "cc");
}

void on_debug(Frame& frame) {
  traps = traps + 1;
  if (frame.ip == reinterpret_cast<word>(rep_here) && (frame.flags & flag_rf) != 0) with_flag = with_flag + 1;
  if ((dr6() & 1) != 0) frame.flags |= flag_rf;
  set_dr6(all_clear);
}

void on_timer(Frame& frame) {
  ticks = ticks + 1;
  if ((frame.flags & flag_rf) != 0) with_flag = with_flag + 1;
  apic::end_of_interrupt();
}

void start() {
  traps = 0;
  ticks = 0;
  with_flag = 0;
}

void start_timer() {
  start();
  apic::write(apic::initial_count, 1000);
}

}  // namespace

void guest_main() {
  apic::start();
  set_handler(1, on_debug);
  set_handler(timer_vector, on_timer);
  apic::write(apic::divide, apic::divide_by_1);
  apic::write(apic::lvt_timer, timer_vector);

  const NotCompared here("SDM vol. 3, 17.3.1.1");
  set_dr0(reinterpret_cast<word>(rep_here));
  set_dr7(0x402);
  start();
  fill(100);
  check("an instruction breakpoint on REP STOSB is met once", traps, 1);

  start_timer();
  fill(3000, flag_if);
  check("an interrupt comes between two iterations", ticks, 1);
  check("with RF=1", with_flag, 1);
  check("so the breakpoint is not met again", traps, 1);

  set_dr7(0x400);
  start_timer();
  fill(3000, flag_if);
  check("without breakpoints an interrupt", ticks, 1);
  check("has RF=1 too", with_flag, 1);

  start();
  fill(5, flag_tf);
  check("single steps between iterations have RF=1", with_flag, 4);

  set_dr0(reinterpret_cast<word>(bytes + 3));
  set_dr7(0x10402);  // write, 1 byte
  start();
  fill(8);
  check("a data breakpoint between iterations", traps, 1);
  check("has RF=1", with_flag, 1);
  start();
  fill(4);
  check("one in the last iteration", traps, 1);
  check("has RF=0", with_flag, 0);
  set_dr7(0x400);
}
