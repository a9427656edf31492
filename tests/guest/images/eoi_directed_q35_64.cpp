// Board q35's I/O APIC of version 20h has an EOI register: with the local APIC's broadcast suppressed, a handler frees
// the entry there (82801I, 13.5.7: EOIR). QEMU's TCG has no suppression.
#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/tester.hpp"

namespace {

constexpr u8 vector = 0x51, pirq_h = 23;  // where slot 3's INTA# ends on q35
constexpr u32 suppress = 0x1000;

volatile u32 count;
volatile u8 freed = vector;

volatile u32& eoi_register() { return *reinterpret_cast<volatile u32*>(io_apic::page + 0x40); }

INTERRUPT_HANDLER(on_card) {
  count = count + 1;
  tester(tester_status) = ~u32{0};
  apic::end_of_interrupt();
  eoi_register() = freed;
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
  apic::write(apic::spurious_vector, 0x1FF | suppress);
  io_apic::write_entry(pirq_h, vector | io_apic::level | io_apic::active_low);
  raise();
  raise();
  check("each directed EOI frees the entry", count, 2);
  freed = vector + 1;
  raise();
  raise();
  check("one for another vector does not", count, 3);
  eoi_register() = vector;
  window();
  check("the right one does", count, 4);
}
