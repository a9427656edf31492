// The IMCR leads the 8259s' output past the local APIC, or through its LINT0 (MultiProcessor Specification 1.4,
// 3.6.2.1). QEMU has none.
#include "tests/guest/runtime/apic.hpp"
#include "tests/guest/runtime/interrupt.hpp"

namespace {

constexpr u8 irq = 4, past = 0, through = 1;
constexpr u32 ext_int = 0x700;

volatile u32 count;

INTERRUPT_HANDLER(on_irq) {
  count = count + 1;
  uart_quiet(com1);
  pic_end(irq);
}

void set_imcr(u8 value) {
  out8(0x22, 0x70);
  out8(0x23, value);
}

/// How many come of one request.
u32 arrive() {
  count = 0;
  uart_raise(com1);
  window();
  return count;
}
/// Nothing is left of a request that has not come.
void forget() {
  uart_quiet(com1);
  pic_start();
  pic_allow(1u << irq);
}

}  // namespace

void guest_main() {
  apic::start();
  set_irq_handler(irq, on_irq);
  pic_allow(1u << irq);
  out8(0x22, 0x70);
  check("firmware leads it through the local APIC", in8(0x23), through);
  apic::write(apic::lvt_lint0, ext_int);
  check("an ExtINT at LINT0", arrive(), 1);
  apic::write(apic::lvt_lint0, apic::masked);
  check("LINT0 masked: nothing", arrive(), 0);
  forget();
  set_imcr(past);
  check("PIC mode: past the mask", arrive(), 1);
  apic::write(apic::task_priority, 0xF0);
  check("and past the task priority", arrive(), 1);
  apic::write(apic::spurious_vector, 0xFF);
  check("and past an APIC that is off", arrive(), 1);
  apic::write(apic::spurious_vector, 0x1FF);
  set_imcr(through);
  check("back at LINT0, which is masked: nothing", arrive(), 0);
  forget();
}
