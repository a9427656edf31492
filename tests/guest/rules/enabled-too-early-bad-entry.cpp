// The low half of the serial port's entry, which opens it, is written before the high half, which says to whom.
#include "tests/guest/runtime/io_apic.hpp"

namespace {

constexpr u8 vector = 0x34;
volatile u32 transmitted;

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  transmitted = transmitted + 1;
  apic::end_of_interrupt();
}

}  // namespace

void guest_main() {
  io_apic::start();
  set_gate_target(vector, reinterpret_cast<const void*>(serial_handler));
  apic::write(apic::logical_destination, 1u << 24);
  volatile u32* const chip = io_apic::registers();
  chip[0] = 0x10 + 2 * 4;
  chip[4] = vector | apic::logical;
  chip[0] = 0x11 + 2 * 4;
  chip[4] = 1u << 24;
  uart_raise(com1);
  window();
  check("the serial port comes, this time", transmitted, 1);
}
