// The serial port's line is active high, and its entry says low: the interrupt comes when the port lets go of the line.
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
  volatile u32* const chip = io_apic::registers();
  chip[0] = 0x10 + 2 * 4;
  chip[4] = vector | io_apic::active_low;
  uart_raise(com1);
  window();
  uart_quiet(com1);
  window();
  check_true("something comes", transmitted != 0);
}
