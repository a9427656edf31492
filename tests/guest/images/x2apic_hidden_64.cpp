// A local APIC without x2APIC (vitrine run --no-x2apic; QEMU 7.2's TCG has none): SDM vol. 3, 10.12.1.
#include "tests/guest/runtime/apic.hpp"

namespace {

void switch_x2apic_on() { write_msr(apic::msr_base, read_msr(apic::msr_base) | 0x400); }
void read_x2apic_id() { (void)read_msr(apic::msr_x2apic + 2); }

bool cpuid_shows_x2apic() {
  u32 eax = 1, ebx, ecx = 0, edx;
  asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  return (ecx >> 21 & 1) != 0;
}

}  // namespace

void guest_main() {
  apic::start();
  check_true("CPUID does not show it", !cpuid_shows_x2apic());
  check_alone("it can't be switched on", run(switch_x2apic_on).vector, 13, "SDM vol. 3, 10.12.1");
  check("the page is still there", apic::read(apic::version) & 0xF0, 0x10);
  check_alone("its registers are no MSRs", run(read_x2apic_id).vector, 13, "SDM vol. 3, 10.12.1.2");
}
