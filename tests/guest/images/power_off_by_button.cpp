// The power button (ACPI 2.0, 4.7.2.2.1.1): an SCI when the guest has asked for it, and the end by its own word.
// guest_test presses it at 5 and 15 ms.
#include "tests/guest/runtime/interrupt.hpp"

namespace {

constexpr u16 pm1_status = 0x600, pm1_enable = 0x602, pm1_control = 0x604;
constexpr u16 button = 1 << 8, sci_enable = 1, sleep_enable = 1 << 13;
constexpr u8 sci = 9;

inline void out16(u16 port, u16 value) { asm volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory"); }
inline u16 in16(u16 port) {
  u16 value;
  asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}

volatile u32 count, status;

INTERRUPT_HANDLER(on_sci) {
  count = count + 1;
  status = in16(pm1_status);
  out16(pm1_status, button);
  pic_end(sci);
}

}  // namespace

void guest_main() {
  set_irq_handler(sci, on_sci);
  pic_allow(1u << sci | 1u << 2);
  spend_millions_with_interrupts(10);  // 5 ms: the button
  check("not asked for, it sets its status alone", count * 0x10000 + (in16(pm1_status) & button), button);
  out16(pm1_status, button);
  check("a one clears it", in16(pm1_status) & button, 0);

  out16(pm1_enable, button);
  while (count == 0) wait_for_interrupt();  // 15 ms: the button
  check("asked for, it is an SCI", status & button, button);
  check("once", count, 1);
  check("which is gone when its status is", in16(pm1_status) & button, 0);
  print("PASS\n");
  out16(pm1_control, sci_enable | sleep_enable);  // S5: SLP_TYP 0, as the DSDT says
}
