// IA32_MISC_ENABLE bit 34: the processor has no NX then (SDM vol. 4, 2.1).
#include "tests/guest/runtime/guest.hpp"

PROBE(set_nxe, "movl $0xC0000080, %ecx; rdmsr; orl $0x800, %eax", "wrmsr", "")

namespace {
constexpr u32 msr_misc_enable = 0x1A0;
constexpr u64 no_execute_disable = u64{1} << 34;

bool has_nx() {
  u32 a = 0x80000001, b, c = 0, d;
  asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (d >> 20 & 1) != 0;
}
}  // namespace

void guest_main() {
  const u64 before = read_msr(msr_misc_enable);
  check_true("NX is there", has_nx());
  write_msr(msr_misc_enable, before | no_execute_disable);
  {
    const NotCompared here("SDM vol. 4, 2.1, IA32_MISC_ENABLE");
    check("the bit can be set", read_msr(msr_misc_enable) & no_execute_disable, no_execute_disable);
    check("CPUID has no NX", has_nx(), false);
    CHECK_FAULT(set_nxe, 13, 0);
  }
  write_msr(msr_misc_enable, before);
  check_true("NX is back", has_nx());
  CHECK_NO_TRAP(set_nxe);
}
