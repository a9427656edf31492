// The 8254's modes by what can be read: counter latch, read-back, OUT of channel 2 (Intel 8254 data sheet, 231164).
// Nothing here depends on how fast the CPU is: values are compared as order and range only.
#include "tests/guest/runtime/pic.hpp"

namespace {

/// A count is in the counter with the next pulse of CLK, 838 ns later.
void settle() {
  for (int i = 0; i < 5000; ++i) (void)in8(0x61);
}
void start(u8 channel, u8 mode, u16 count) {
  out8(0x43, static_cast<u8>(channel << 6 | 0x30 | mode << 1));
  out8(static_cast<u16>(0x40 + channel), static_cast<u8>(count));
  out8(static_cast<u16>(0x40 + channel), static_cast<u8>(count >> 8));
}
u16 latched(u8 channel) {
  out8(0x43, static_cast<u8>(channel << 6));
  const u8 low = in8(static_cast<u16>(0x40 + channel));
  return static_cast<u16>(low | in8(static_cast<u16>(0x40 + channel)) << 8);
}
u8 status(u8 channel) {
  out8(0x43, static_cast<u8>(0xE0 | 2 << channel));
  return in8(static_cast<u16>(0x40 + channel));
}
bool output_2() { return (in8(0x61) & 0x20) != 0; }
void gate_2(bool on) { out8(0x61, static_cast<u8>((in8(0x61) & ~3) | (on ? 1 : 0))); }
void until_output_2() {
  while (!output_2()) {
  }
}

}  // namespace

void guest_main() {
  gate_2(true);
  start(2, 0, 0xFFFF);
  check_alone("mode 0: OUT is low", output_2(), false, "QEMU's clocks are the host's");
  const u16 first = latched(2);
  const u16 second = latched(2);
  check_alone("it counts down", second <= first, true, "QEMU's clocks are the host's");
  check("status: low then high byte, mode 0, binary", status(2) & 0x3F, 0x30);
  start(2, 0, 100);
  until_output_2();
  check_true("at its end OUT is high", output_2());
  gate_2(false);
  start(2, 0, 1000);
  settle();
  check_alone("with the gate low it stands", latched(2), 1000, "8254 data sheet, mode 0");
  gate_2(true);
  until_output_2();
  check_true("with the gate high it goes on", output_2());

  start(2, 3, 0x1000);
  settle();
  bool even = true;
  for (int i = 0; i < 200; ++i) even = even && (latched(2) & 1) == 0;
  check_true("mode 3 counts by two", even);
  for (int i = 0; i < 3; ++i) {
    while (output_2()) {
    }
    until_output_2();
  }
  check_true("mode 3 goes up and down", true);

  start(2, 2, 0x100);
  settle();
  u16 most = 0;
  for (int i = 0; i < 2000; ++i) {
    const u16 value = latched(2);
    if (value > most) most = value;
  }
  check_true("mode 2 stays in 1 to its count", most <= 0x100 && most > 0);

  out8(0x43, 0x90);  // channel 2, low byte only, mode 0
  out8(0x42, 0xFF);
  check("status: low byte only", status(2) & 0x30, 0x10);
  out8(0x43, 0xB1);  // BCD
  out8(0x42, 0x99);
  out8(0x42, 0x99);
  settle();
  const u16 decimal = latched(2);
  check_true("BCD: each digit is one",
             (decimal & 0xF) < 10 && (decimal >> 4 & 0xF) < 10 && (decimal >> 8 & 0xF) < 10 && (decimal >> 12) < 10);
  check("status: BCD", status(2) & 0x0F, 0x01);

  // Channel 0 by its interrupt: so many ticks of 1000 counts take as long as channel 2 says.
  static u32 ticks;
  set_handler(irq_base, [](Frame&) {
    ++ticks;
    pic_end(0);
  });
  pic_allow(1);
  start(0, 2, 1193);
  while (ticks < 2) wait_for_interrupt();
  start(2, 0, 0xFFFF);
  ticks = 0;
  while (ticks < 20) wait_for_interrupt();
  const u32 passed = 0xFFFFu - latched(2);
  pic_allow(0);
  check_alone("20 ms by channel 0 are 20 ms by channel 2, within a tick", passed > 18 * 1193 && passed < 21 * 1193,
              true, "QEMU's clocks are the host's");
}
