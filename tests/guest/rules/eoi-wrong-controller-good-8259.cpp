// The serial port comes through the 8259; its handler sends the EOI there.
#include "tests/guest/runtime/io_apic.hpp"

namespace {

volatile u32 transmitted;

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  transmitted = transmitted + 1;
  out8(0x20, 0x20);
}

}  // namespace

void guest_main() {
  apic::start();
  apic::write(apic::lvt_lint0, 0x700);
  set_irq_handler(4, serial_handler);
  pic_allow(1u << 4);
  for (u32 i = 1; i <= 3; ++i) {
    uart_raise(com1);
    window();
    check("the serial port comes", transmitted, i);
  }
}
