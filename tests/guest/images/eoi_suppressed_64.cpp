// An EOI that the local APIC keeps to itself (SDM vol. 3, 10.8.5): this I/O APIC of version 11h has no EOI register, so
// the line waits until its entry is made an edge. QEMU's TCG has no suppression.
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/tester.hpp"

namespace {

constexpr u8 vector = 0x51;
constexpr u32 suppress = 0x1000, remote_irr = 0x4000, entry = vector | io_apic::level | io_apic::active_low;

volatile u32 count;

INTERRUPT_HANDLER(on_card) {
  count = count + 1;
  tester(tester_status) = ~u32{0};
  apic::end_of_interrupt();
}

u32 read_entry() {
  io_apic::registers()[0] = 0x10 + 2 * tester_pin;
  return io_apic::registers()[4];
}
void raise() {
  tester(tester_start) = 1;
  window();
}

}  // namespace

void guest_main() {
  io_apic::start();
  find_tester();
  set_gate_target(vector, reinterpret_cast<const void*>(on_card));
  const NotCompared here("SDM vol. 3, 10.8.5");
  check_true("the version register shows it", (apic::read(apic::version) >> 24 & 1) != 0);
  apic::write(apic::spurious_vector, 0x1FF | suppress);
  io_apic::write_entry(tester_pin, entry);
  raise();
  check("the first comes", count, 1);
  check("its entry waits for an EOI", read_entry() & remote_irr, remote_irr);
  raise();
  check("so the second does not", count, 1);
  io_apic::write_entry(tester_pin, entry & ~io_apic::level);
  check("made an edge, it waits no more", read_entry() & remote_irr, 0);
  io_apic::write_entry(tester_pin, entry);
  window();
  check("and the line that is still low is heard", count, 2);
  apic::write(apic::spurious_vector, 0x1FF);
  io_apic::write_entry(tester_pin, entry & ~io_apic::level);
  io_apic::write_entry(tester_pin, entry);
  raise();
  raise();
  check("with broadcasts each EOI frees it", count, 4);
}
