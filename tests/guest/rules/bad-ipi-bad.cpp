// An IPI to a CPU that the machine does not have.
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
  volatile u32* const chip = apic::registers();
  chip[apic::command_high / 4] = 9u << 24;
  chip[apic::command_low / 4] = vector | apic::asserted;
  window();
  check("the IPI comes", came, 0);
}
