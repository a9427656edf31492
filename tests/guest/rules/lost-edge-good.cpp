// A byte is sent while the serial port's entry is masked; the driver looks at the port once it has opened the entry.
#include "tests/guest/runtime/io_apic.hpp"

namespace {

constexpr u8 vector = 0x34;
volatile u32 transmitted;

void serve() {
  if ((in8(com1 + 2) & 1) != 0) return;
  uart_quiet(com1);
  transmitted = transmitted + 1;
}

INTERRUPT_HANDLER(serial_handler) {
  serve();
  apic::end_of_interrupt();
}

}  // namespace

void guest_main() {
  io_apic::start();
  set_gate_target(vector, reinterpret_cast<const void*>(serial_handler));
  io_apic::write_entry(4, vector);
  io_apic::write_entry(4, vector | io_apic::masked);
  uart_raise(com1);
  io_apic::write_entry(4, vector);
  serve();
  spend_millions_with_interrupts(120);
  check("the serial port was served", transmitted, 1);
}
