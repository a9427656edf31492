// The local APIC's registers: what can be written, what reads back, what is refused (SDM vol. 3, 10.4 to 10.6).
#include "tests/guest/runtime/apic.hpp"

namespace {

void reads_back(const char* what, u32 offset, u32 value, u32 expected) {
  apic::write(offset, value);
  check(what, apic::read(offset), expected);
}

}  // namespace

void guest_main() {
  apic::start();
  check("the APIC is at FEE00000h, enabled, the first CPU's", read_msr(apic::msr_base), 0xFEE00900);
  check("the id is 0", apic::read(apic::id), 0);
  check_true("the version is that of an integrated APIC", (apic::read(apic::version) & 0xF0) == 0x10);
  reads_back("TPR has 8 bits", apic::task_priority, 0xFFFFFF5A, 0x5A);
  check("PPR is TPR", apic::read(apic::processor_priority), 0x5A);
  apic::write(apic::task_priority, 0);
  reads_back("LDR has its high 8 bits", apic::logical_destination, 0x12345678, 0x12000000);
  reads_back("DFR has its high 4 bits", apic::destination_format, 0x01234567, 0x0FFFFFFF);
  apic::write(apic::destination_format, 0xFFFFFFFF);
  {
    const NotCompared here("SDM vol. 3, figure 10-12");
    reads_back("ICR high has its high 8 bits", apic::command_high, 0x12345678, 0x12000000);
    reads_back("an LVT entry has no reserved bits", apic::lvt_lint0, 0xFFFFFFFF, 0x1A7FF);
    reads_back("nor has the error's, which has no mode", apic::lvt_error, 0xFFFFFFFF, 0x100FF);
    reads_back("nor the thermal sensor's", apic::lvt_thermal, 0xFFFFFFFF, 0x107FF);
    reads_back("the timer's has three modes", apic::lvt_timer, 0xFFF9FFFF, 0x100FF);
    reads_back("DCR has three bits", apic::divide, 0xFFFFFFFF, 0xB);
  }
  apic::write(apic::lvt_lint0, apic::masked);
  apic::write(apic::lvt_timer, 0x41);
  check("an open entry", apic::read(apic::lvt_timer), 0x41);
  apic::write(apic::spurious_vector, 0xFF);
  {
    const NotCompared here("SDM vol. 3, 10.4.7.2");
    check("software disables the APIC: it is masked", apic::read(apic::lvt_timer), 0x10041);
    apic::write(apic::lvt_timer, 0x41);
    check("and can't be opened", apic::read(apic::lvt_timer), 0x10041);
  }
  apic::write(apic::spurious_vector, 0x1FF);
  apic::write(apic::lvt_timer, 0x41);
  check("until it is enabled again", apic::read(apic::lvt_timer), 0x41);
  apic::write(apic::lvt_timer, apic::masked);

  apic::write(apic::error_status, 0);
  apic::write(apic::error_status, 0);
  check("no errors", apic::read(apic::error_status), 0);
  (void)apic::read(0x40);
  {
    const NotCompared here("SDM vol. 3, 10.5.3");
    check("an error shows", apic::read(apic::error_status), 0);
    apic::write(apic::error_status, 0);
    check("after a write of ESR", apic::read(apic::error_status), 0x80);
    apic::write(apic::error_status, 0);
    check("until the next", apic::read(apic::error_status), 0);
    apic::send(apic::to_self | 5);
    apic::write(apic::error_status, 0);
    check("an IPI with vector 5 is an error of the sender", apic::read(apic::error_status) & 0x20, 0x20);
  }
  apic::write(apic::error_status, 0);
}
