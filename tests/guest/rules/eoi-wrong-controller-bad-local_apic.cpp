// The serial port comes through the 8259; its handler sends the EOI to the local APIC.
#include "tests/guest/runtime/io_apic.hpp"

namespace {

volatile u32 transmitted;

INTERRUPT_HANDLER(serial_handler) {
  uart_quiet(com1);
  transmitted = transmitted + 1;
  apic::registers()[apic::eoi / 4] = 0;
}

}  // namespace

void guest_main() {
  apic::start();
  apic::write(apic::lvt_lint0, 0x700);
  set_irq_handler(4, serial_handler);
  pic_allow(1u << 4);
  uart_raise(com1);
  window();
  check("the serial port comes", transmitted, 1);
  uart_raise(com1);
  interrupts_on();
  spend_millions(20);
  interrupts_off();
  check("and does not come again", transmitted, 1);
}
