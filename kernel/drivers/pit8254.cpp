#include "kernel/drivers/pit8254.hpp"

#include "kernel/arch/x86_64/cpu.hpp"

namespace pulse {

namespace {
constexpr u16 counter0 = 0x40, counter2 = 0x42, control = 0x43;
constexpr u8 counter2_low_high_mode0 = 0xB0;
/// Port 61h of the PC: gate of counter 2, speaker, and counter 2's output.
constexpr u16 speaker_port = 0x61;
constexpr u8 gate2 = 1, speaker = 2, output2 = 0x20;
constexpr u8 counter0_low_high_mode0 = 0x30, counter0_low_high_mode2 = 0x34;
}  // namespace

u64 start_pit(u32 hz) {
  const u32 divisor = (pit_input_hz + hz / 2) / hz;
  out8(control, counter0_low_high_mode2);
  out8(counter0, static_cast<u8>(divisor));
  out8(counter0, static_cast<u8>(divisor >> 8));
  return u64{divisor} * 1'000'000'000 / pit_input_hz;
}

void start_pit_once(u64 nanoseconds) {
  constexpr u64 most = 0xFFFF, longest = most * 1'000'000'000 / pit_input_hz;
  const u64 count = nanoseconds >= longest ? most : nanoseconds * pit_input_hz / 1'000'000'000 + 1;
  out8(control, counter0_low_high_mode0);
  out8(counter0, static_cast<u8>(count));
  out8(counter0, static_cast<u8>(count >> 8));
}

bool pit_ran_out() {
  constexpr u8 latch_status_of_counter0 = 0xE2, output = 0x80;  // the read-back command
  out8(control, latch_status_of_counter0);
  return (in8(counter0) & output) != 0;
}

void start_pit_stopwatch(u32 count) {
  out8(speaker_port, (in8(speaker_port) & static_cast<u8>(~speaker)) | gate2);
  out8(control, counter2_low_high_mode0);
  out8(counter2, static_cast<u8>(count));
  out8(counter2, static_cast<u8>(count >> 8));
}

bool pit_stopwatch_ran_out() { return (in8(speaker_port) & output2) != 0; }

}  // namespace pulse
