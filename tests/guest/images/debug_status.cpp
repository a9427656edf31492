// DR6 when a debug exception comes: B0 to B3 are those of this one, all else stays as the guest left it (SDM vol. 3,
// 17.2.3).
#include "tests/guest/runtime/guest.hpp"

PROBE(marked, "nop", "nop", "nop")
PROBE(touch_debug_register, "", "mov %dr0, %" REGISTER_A, "nop")

namespace {

constexpr word b1 = 2, b2 = 4, bd = 0x2000, bs = 0x4000;
constexpr word cleared = 0xFFFF0FF0;
word status;

void on_debug(Frame& frame) {
  status = dr6();
  frame.flags |= flag_rf;
}

}  // namespace

void guest_main() {
  set_handler(1, on_debug);
  set_dr2(reinterpret_cast<word>(marked_at));
  set_dr7(0x400 | 0x20);  // DR2, execute
  set_dr6(cleared);
  run(marked);
  check("B2 for DR2", status & (b1 | b2 | bs), b2);
  set_dr6(cleared | b1);
  run(marked);
  check("a B1 of before is gone", status & (b1 | b2 | bs), b2);
  set_dr6(cleared | bs | b1);
  run(marked);
  check("a BS of before stays", status & (b1 | b2 | bs), b2 | bs);

  set_handler(1, nullptr);
  set_dr6(cleared | b1);
  set_dr7(0x2400);  // GD
  const NotCompared here("SDM vol. 3, 17.2.4");
  check_trap("GD", run(touch_debug_register), 1, 0, touch_debug_register_at);
  check("BD without the B1 of before", dr6() & (b1 | bd), bd);
}
