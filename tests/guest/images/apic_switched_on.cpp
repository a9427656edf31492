// A level that stands while nobody takes it is an interrupt once the local APIC is on: it was held up (82093AA 3.2.4),
// not lost.
#include "tests/guest/runtime/io_apic.hpp"

namespace {

constexpr u8 vector = 0x41, irq = 4;
constexpr u32 software_disabled = 0xFF, software_enabled = 0x1FF, send_pending = 1u << 12;
constexpr u64 globally_enabled = 0x800;
volatile u32 count;

void on_interrupt(Frame&) {
  count = count + 1;
  uart_quiet(com1);
  apic::end_of_interrupt();
}

/// The 8259 asks until somebody acknowledges.
void on_lint0(Frame& frame) {
  apic::write(apic::lvt_lint0, apic::masked);
  on_interrupt(frame);
}

u32 arrived() {
  window();
  const u32 seen = count;
  count = 0;
  return seen;
}

}  // namespace

void guest_main() {
  apic::start();
  set_handler(vector, on_interrupt);

  apic::write(apic::spurious_vector, software_disabled);
  io_apic::write_entry(irq, io_apic::level | vector);
  uart_raise(com1);
  check("off by SVR: nothing", arrived(), 0);
  check_true("it is pending at the I/O APIC", (io_apic::read(0x10 + 2 * irq) & send_pending) != 0);
  apic::write(apic::spurious_vector, software_enabled);
  check("on again: it comes", arrived(), 1);

  const u64 base = read_msr(apic::msr_base);
  write_msr(apic::msr_base, base & ~globally_enabled);
  uart_raise(com1);
  check("off by IA32_APIC_BASE: nothing", arrived(), 0);
  write_msr(apic::msr_base, base);
  check("on again: it comes", arrived(), 1);
  io_apic::write_entry(irq, io_apic::masked);

  set_handler(vector, on_lint0);
  pic_start();
  pic_allow(1u << irq);
  apic::write(apic::lvt_lint0, io_apic::level | vector);
  write_msr(apic::msr_base, base & ~globally_enabled);
  uart_raise(com1);
  write_msr(apic::msr_base, base);
  check("a level at LINT0 likewise", arrived(), 1);
}
