// The HPET's ways: lines in the place of PIT and clock chip, pins of the I/O APIC, messages (HPET 1.0a, 2.3.5 and
// 2.3.8). QEMU's timers send no messages unless its command line says so.
#include "tests/guest/runtime/interrupt.hpp"
#include "tests/guest/runtime/io_apic.hpp"

namespace {

constexpr word hpet = 0xFED00000;
enum Register : u32 { configuration = 0x10, status = 0x20, counter = 0xF0, first_timer = 0x100, timer_bytes = 0x20 };
constexpr u32 on = 1, legacy = 2;
constexpr u32 level = 1u << 1, enable = 1u << 2, periodic = 1u << 3, set_value = 1u << 6, narrow = 1u << 8,
              by_message = 1u << 14, can_message = 1u << 15;
constexpr u32 route(u32 pin) { return pin << 9; }
constexpr u8 pin = 20, pin_vector = 0x44, message_vector = 0x61;
constexpr u32 steps_per_millisecond = 100'000;

volatile u32 ticks, clocks, pins, messages;

volatile u32& at(u32 offset) { return *reinterpret_cast<volatile u32*>(hpet + offset); }
volatile u32& timer(u32 number, u32 offset) { return at(first_timer + number * timer_bytes + offset); }

INTERRUPT_HANDLER(on_tick) {
  ticks = ticks + 1;
  pic_end(0);
}
INTERRUPT_HANDLER(on_clock) {
  clocks = clocks + 1;
  pic_end(8);
}
INTERRUPT_HANDLER(on_pin) {
  pins = pins + 1;
  at(status) = 2;
  apic::end_of_interrupt();
}
INTERRUPT_HANDLER(on_message) {
  messages = messages + 1;
  apic::end_of_interrupt();
}

/// Stops it at 0, with all timers off.
void stop() {
  at(configuration) = 0;
  at(counter) = 0;
  at(counter + 4) = 0;
  for (u32 number = 0; number < 3; ++number) timer(number, 0) = 0;
  at(status) = ~u32{0};
}
void one_shot(u32 number, u32 flags, u32 steps) {
  timer(number, 0) = enable | narrow | flags;
  timer(number, 8) = steps;
}
void each(u32 number, u32 flags, u32 steps) {
  timer(number, 0) = enable | narrow | periodic | set_value | flags;
  timer(number, 8) = steps;
}

void in_the_place_of_pit_and_clock() {
  pic_allow(1u << 0 | 1u << 2 | 1u << 8);
  pit_start(2, 1193);  // 1 kHz
  spend_millions_with_interrupts(5);
  check_true("without it, the PIT has IRQ 0", ticks >= 4);
  stop();
  one_shot(0, 0, 2 * steps_per_millisecond);
  each(1, 0, steps_per_millisecond);
  at(configuration) = on | legacy;
  ticks = 0;
  spend_millions_with_interrupts(10);
  check("legacy replacement: timer 0 is IRQ 0, and the PIT is not", ticks, 1);
  check_true("timer 1 is IRQ 8, each millisecond", clocks >= 9 && clocks <= 11);
  stop();
  ticks = 0;
  spend_millions_with_interrupts(5);
  check_true("without it, the PIT is back", ticks >= 4);
  pic_allow(0);
}

void by_pins() {
  check_true("a timer has pin 20", (timer(1, 4) >> pin & 1) != 0);
  io_apic::write_entry(pin, pin_vector | io_apic::active_low);
  stop();
  each(1, route(pin), steps_per_millisecond);
  at(configuration) = on;
  spend_millions_with_interrupts(10);
  check_true("periodic, edge: one each millisecond", pins >= 9 && pins <= 11);
  check("an edge has no status", at(status), 0);
  stop();
  pins = 0;
  io_apic::write_entry(pin, pin_vector | io_apic::level | io_apic::active_low);
  one_shot(1, level | route(pin), steps_per_millisecond);
  at(configuration) = on;
  for (u32 turn = 0; turn < 1'000'000 && at(status) == 0; ++turn) asm volatile("pause");
  check("level: its status", at(status), 2);
  window();
  check("interrupts once, and is over when it is cleared", pins << 4 | at(status), 1 << 4);
  io_apic::write_entry(pin, io_apic::masked);
}

void by_messages() {
  check_true("a timer can send messages", (timer(2, 0) & can_message) != 0);
  stop();
  timer(2, 0x10) = message_vector;
  timer(2, 0x14) = 0xFEE00000;
  each(2, by_message | route(pin), steps_per_millisecond);
  at(configuration) = on;
  pins = 0;
  spend_millions_with_interrupts(10);
  check_true("one message each millisecond", messages >= 9 && messages <= 11);
  check("and nothing on its pin", pins, 0);
  stop();
}

}  // namespace

void guest_main() {
  io_apic::start();
  set_irq_handler(0, on_tick);
  set_irq_handler(8, on_clock);
  set_gate_target(pin_vector, reinterpret_cast<const void*>(on_pin));
  set_gate_target(message_vector, reinterpret_cast<const void*>(on_message));
  in_the_place_of_pit_and_clock();
  by_pins();
  by_messages();
}
