// A PCI card's line is a level, which cards share, and its entry says edge.
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
  volatile u32* const chip = io_apic::registers();
  chip[0] = 0x10 + 2 * tester_pin;
  chip[4] = vector | io_apic::active_low;
  interrupts_on();
  tester(tester_start) = 1;
  spend_millions(1);
  check("it works as long as the card is alone on the line", came, 1);
}
