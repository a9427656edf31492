// What asks for an NMI on a PC, and what keeps it away (82371AB, NMISC; SDM vol. 3, 10.5.1). guest_test presses the
// button and pulls IOCHK# and SERR# at the times below; QEMU's button is in its monitor.
#include "tests/guest/runtime/apic.hpp"
#include "tests/guest/runtime/interrupt.hpp"

namespace {

constexpr u16 port_b = 0x61, clock_index = 0x70;
constexpr u8 system_error = 0x80, io_check = 0x40, io_check_off = 0x08, system_error_off = 0x04, nmi_masked = 0x80;
constexpr u32 mode_nmi = 0x400;

volatile u32 count, reason;

INTERRUPT_HANDLER(on_nmi) {
  count = count + 1;
  reason = in8(port_b) & (system_error | io_check);
}

/// Lets time pass until power-on was so many milliseconds ago; the inputs come in the middle between two waits.
void wait_until(u32 milliseconds) {
  u32 low, high;
  do {
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
  } while ((u64{high} << 32 | low) < u64{milliseconds} * 1'000'000);
}

void switch_sources(u8 off) {
  out8(port_b, off);
  out8(port_b, 0);
}

}  // namespace

void guest_main() {
  apic::start();
  set_gate_target(2, reinterpret_cast<const void*>(on_nmi));
  apic::write(apic::lvt_lint1, mode_nmi);
  out8(port_b, 0);
  check("nothing is wrong", in8(port_b) & 0xC0, 0);

  wait_until(20);  // 15 ms: the button
  check("the button is an NMI, though IF is clear", count, 1);
  check("of unknown reason", reason, 0);

  wait_until(30);  // 25 ms: IOCHK#
  check("an adapter's error is an NMI", count, 2);
  check("with bit 6 of port 61h", reason, io_check);
  check("which stays", in8(port_b) & 0xC0, io_check);
  wait_until(40);  // 35 ms: IOCHK# again
  check("the wire is high already: no edge", count, 2);
  switch_sources(io_check_off);
  check("bit 3 clears it", in8(port_b) & 0xC0, 0);

  out8(clock_index, nmi_masked);
  wait_until(50);  // 45 ms: SERR#
  check("port 70h masks it", count, 2);
  check("its status waits", in8(port_b) & 0xC0, system_error);
  out8(clock_index, 0);
  window();
  check("and asks when the mask goes", count, 3);
  check("as SERR#", reason, system_error);
  switch_sources(system_error_off);

  out8(port_b, io_check_off);
  wait_until(60);  // 55 ms: IOCHK#
  check("switched off it says nothing", count * 0x100 + (in8(port_b) & 0xC0), 0x300);
  out8(port_b, 0);

  apic::write(apic::lvt_lint1, mode_nmi | apic::masked);
  wait_until(70);  // 65 ms: the button
  check("LINT1's mask keeps it away", count, 3);
  apic::write(apic::lvt_lint1, mode_nmi);
  check("and nothing is left of it", count, 3);

  asm volatile("hlt");  // 75 ms: the button
  check("it ends a HLT without interrupts", count, 4);
}
