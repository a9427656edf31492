// STAC and CLAC change EFLAGS.AC in ring 0 though CR4.SMAP is clear: what decides is CPUID (SDM vol. 2, STAC, CLAC).
#include "tests/guest/runtime/guest.hpp"

PROBE(set_ac, "", "stac", "pushf; pop %" REGISTER_A)
PROBE(clear_ac, "stac", "clac", "pushf; pop %" REGISTER_A)
PROBE(set_ac_in_ring_3, "", "stac", "")

namespace {
word flags_after(Code code) {
  word value;
  asm volatile("call *%1" : "=a"(value) : "r"(code) : "memory", "cc");
  return value & flag_ac;
}
}  // namespace

void guest_main() {
  check("SMAP is off", cr4() & cr4_smap, 0);
  CHECK_NO_TRAP(set_ac);
  check("STAC sets AC", flags_after(set_ac), flag_ac);
  check("CLAC clears it", flags_after(clear_ac), 0);
  CHECK_USER_FAULT(set_ac_in_ring_3, 6, 0);
}
