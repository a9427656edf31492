// An IRET that faults unblocks NMIs all the same, before the handler of its fault (SDM vol. 3, 6.7.1).
#include "tests/guest/runtime/apic.hpp"

namespace {

constexpr u16 no_such_selector = 0xFFF8;
volatile u32 nmis, faults, nmis_at_fault;

void send_nmi() {
  apic::send(apic::mode_nmi | apic::asserted);
  for (int i = 0; i < 20; ++i) asm volatile("nop");
}

void on_nmi(Frame& frame) {
  nmis = nmis + 1;
  if (nmis != 1) return;
  send_nmi();  // waits for the IRET
  check("an NMI does not interrupt the handler of another", nmis, 1);
  frame.cs = no_such_selector;
}

void on_protection_fault(Frame& frame) {
  nmis_at_fault = nmis;
  faults = faults + 1;
  // The frame that the IRET could not leave is what it had on its stack: another try shall succeed.
#if GUEST_64
  auto* bad = reinterpret_cast<word*>(frame.sp);
#else
  word* bad = &frame.sp;  // without a change of privilege nothing is pushed here
#endif
  bad[1] = kernel_code;
}

}  // namespace

void guest_main() {
  apic::start();
  set_handler(2, on_nmi);
  set_handler(13, on_protection_fault);
  send_nmi();
  check("the IRET faulted", faults, 1);
  const NotCompared here("SDM vol. 3, 6.7.1");
  check("the waiting NMI came before the handler of the fault", nmis_at_fault, 2);
  check("and the NMI is handled", nmis, 2);
  send_nmi();
  check("as is the next one", nmis, 3);
}
