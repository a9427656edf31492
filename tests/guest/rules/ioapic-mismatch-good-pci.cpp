// A PCI card's entry is as PCI lines are: a level, active low.
//
// qemu: no, the card is ours
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/tester.hpp"

namespace {

constexpr u8 vector = 0x51;
volatile u32 came;

INTERRUPT_HANDLER(card_handler) {
  tester(tester_status) = 1;
  came = came + 1;
  apic::end_of_interrupt();
}

}  // namespace

void guest_main() {
  io_apic::start();
  find_tester();
  set_gate_target(vector, reinterpret_cast<const void*>(card_handler));
  io_apic::write_entry(tester_pin, vector | io_apic::active_low | io_apic::level);
  interrupts_on();
  for (u32 i = 1; i <= 3; ++i) {
    tester(tester_start) = 1;
    spend_millions(1);
    check("the card comes", came, i);
  }
}
