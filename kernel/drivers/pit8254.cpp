#include "kernel/drivers/pit8254.hpp"

#include "kernel/arch/x86_64/cpu.hpp"

namespace pulse {

namespace {
constexpr u16 counter0 = 0x40, control = 0x43;
constexpr u8 counter0_low_high_mode2 = 0x34;
}  // namespace

u64 start_pit(u32 hz) {
  const u32 divisor = (pit_input_hz + hz / 2) / hz;
  out8(control, counter0_low_high_mode2);
  out8(counter0, static_cast<u8>(divisor));
  out8(counter0, static_cast<u8>(divisor >> 8));
  return u64{divisor} * 1'000'000'000 / pit_input_hz;
}

}  // namespace pulse
