// The local APIC gets its spurious vector without bit 8, which switches it off; then the serial port asks.
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
  io_apic::write_entry(4, vector);
  apic::registers()[apic::spurious_vector / 4] = 0xEF;
  uart_raise(com1);
  window();
  check("the serial port is not heard", transmitted, 0);
}
