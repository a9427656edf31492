// An IPI to the CPU itself.
#include "tests/guest/runtime/io_apic.hpp"

namespace {

constexpr u8 vector = 0x54;
volatile u32 came;

INTERRUPT_HANDLER(handler) {
  came = came + 1;
  apic::end_of_interrupt();
}

}  // namespace

void guest_main() {
  io_apic::start();
  set_gate_target(vector, reinterpret_cast<const void*>(handler));
  apic::send(vector | apic::asserted, 0);
  window();
  check("the IPI comes", came, 1);
}
