// The serial port comes through the I/O APIC; its handler sends the EOI to the 8259.
#include "tests/guest/runtime/io_apic.hpp"

namespace {

constexpr u8 vector = 0x34;
volatile u32 transmitted;

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  transmitted = transmitted + 1;
  out8(0x20, 0x20);
}

}  // namespace

void guest_main() {
  io_apic::start();
  set_gate_target(vector, reinterpret_cast<const void*>(serial_handler));
  io_apic::write_entry(4, vector);
  uart_raise(com1);
  window();
  check("the serial port comes", transmitted, 1);
  check_true("the local APIC has its vector in service", apic::has(apic::in_service, vector));
  uart_raise(com1);
  window();
  check("and does not come again", transmitted, 1);
}
