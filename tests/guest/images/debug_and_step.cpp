// TF, the debug registers and HLT (SDM vol. 3, 17.2 to 17.3).
#include "tests/guest/runtime/pic.hpp"

extern "C" {
u32 watched_word[4];
}

namespace {

word addresses[16];
u32 count;
word reasons;

void on_debug(Frame& frame) {
  if (count < 16) addresses[count] = frame.ip;
  ++count;
  reasons = dr6();
  set_dr6(0xFFFF0FF0);
  frame.flags |= flag_rf;
  if (count > 100) frame.flags &= ~flag_tf;
}
void start() {
  count = 0;
  reasons = 0;
}
void on_timer(Frame&) { pic_end(0); }

word address(const char* mark) { return reinterpret_cast<word>(mark); }

}  // namespace

#define SET_TF "pushf; orl $0x100, (%" REGISTER_SP "); popf"
#define CLEAR_TF "pushf; andl $~0x100, (%" REGISTER_SP "); popf"
PROBE(step_three, SET_TF, "nop", "nop; nop;" CLEAR_TF)
PROBE(step_over_mov_ss, "movl %ss, %ecx;" SET_TF, "movl %ecx, %ss", "nop; nop;" CLEAR_TF)
PROBE(step_over_int, SET_TF, "int $0x55", "nop;" CLEAR_TF)
PROBE(step_rep, "push %" REGISTER_DI "; movl $watched_word, %edi; movl $3, %ecx; xorl %eax, %eax; cld;" SET_TF,
      "rep stosb", "nop;" CLEAR_TF "; pop %" REGISTER_DI)
PROBE(execute_here, "nop", "nop", "nop")
PROBE(write_word, "", "movl $5, watched_word + 4", "nop")
PROBE(read_word, "", "movl watched_word + 4, %eax", "nop")
PROBE(write_beside, "", "movl $5, watched_word + 8", "nop")
PROBE(write_overlapping, "", "movl $5, watched_word + 2", "nop")
PROBE(rep_over_word, "push %" REGISTER_DI "; movl $watched_word, %edi; movl $4, %ecx; xorl %eax, %eax; cld",
      "rep stosl", "nop; pop %" REGISTER_DI)
PROBE(touch_debug_register, "", "mov %dr0, %" REGISTER_A, "nop")

namespace {
void quiet_int(Frame&) {}
}  // namespace

void guest_main() {
  set_handler(1, on_debug);
  set_handler(0x55, quiet_int);
  set_handler(irq_base, on_timer);

  start();
  run(step_three);
  check("TF: the first trap comes behind the instruction after POPF", addresses[0], address(step_three_after));
  check("TF: a trap for each instruction", count, 6);
  check("DR6.BS says so", reasons & 0x4000, 0x4000);
  start();
  run(step_over_mov_ss);
  check("no step between MOV SS and the next", addresses[0], address(step_over_mov_ss_after) + 1);
  start();
  run(step_over_int);
  {
    // INT clears TF, so the handler is not stepped; IRET brings TF back, and the step after it is the first.
    check("INT n is not stepped into", addresses[0], address(step_over_int_after) + 1);
  }
  start();
  run(step_rep);
  check("REP: a step for each iteration", addresses[0], address(step_rep_at));
  check("REP: and behind it", addresses[2], address(step_rep_after));

  set_dr0(address(execute_here_at));
  set_dr7(0x402);
  start();
  run(execute_here);
  check("DR0, execute: once, with RF", count, 1);
  check("before the instruction", addresses[0], address(execute_here_at));
  check("DR6.B0", reasons & 0xF, 1);
  set_dr7(0x400);
  run(execute_here);
  check("disabled: no more", count, 1);

  set_dr1(address(reinterpret_cast<const char*>(&watched_word[1])));
  set_dr7(0x400 | 0x8 | 0xD << 20);  // DR1, 4 bytes, write
  start();
  run(write_word);
  check("DR1, write: a trap behind the store", addresses[0], address(write_word_after));
  check("DR6.B1", reasons & 0xF, 2);
  start();
  run(read_word);
  check("a read is none", count, 0);
  run(write_beside);
  check("nor is a store beside it", count, 0);
  run(write_overlapping);
  check("a store that touches it is one", count, 1);
  start();
  run(rep_over_word);
  check("REP STOS: one trap", count, 1);
  check_alone("behind the iteration", addresses[0], address(rep_over_word_at), "SDM vol. 3, 17.3.1.2");
  set_dr7(0x400 | 0x8 | 0xF << 20);  // read or write
  start();
  run(read_word);
  check("DR1, read or write: a read traps", addresses[0], address(read_word_after));
  set_dr7(0x400);

  set_handler(1, nullptr);
  set_dr7(0x2400);  // GD
  {
    const NotCompared here("SDM vol. 3, 17.2.4");
    check_trap("GD: touching a debug register", run(touch_debug_register), 1, 0, touch_debug_register_at);
    check("DR6.BD", dr6() & 0x2000, 0x2000);
    check("GD is cleared by the trap", dr7() & 0x2000, 0);
  }

  // HLT goes on behind itself, with any interrupt that comes.
  pic_allow(1);
  out8(0x43, 0x30);
  out8(0x40, 0x00);
  out8(0x40, 0x08);
  wait_for_interrupt();
  check_true("HLT: the timer wakes it", true);
}
