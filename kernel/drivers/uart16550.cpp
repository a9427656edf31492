#include "kernel/drivers/uart16550.hpp"

#include "kernel/arch/x86_64/cpu.hpp"

namespace pulse {

namespace {
enum Register : u16 {
  data = 0,
  interrupt_enable = 1,
  fifo_control = 2,
  line_control = 3,
  modem_control = 4,
  line_status = 5,
  scratch = 7
};
constexpr u8 divisor_latch = 0x80, eight_bits = 0x03;
constexpr u8 fifo_enable_and_clear = 0x07;
constexpr u8 dtr_rts_out2 = 0x0B;
constexpr u8 transmitter_empty = 0x20;
constexpr u8 scratch_pattern = 0x5A;
}  // namespace

bool Uart16550::initialise() {
  out8(base_ + scratch, scratch_pattern);
  if (in8(base_ + scratch) != scratch_pattern) return false;
  out8(base_ + interrupt_enable, 0);
  out8(base_ + line_control, divisor_latch | eight_bits);
  out8(base_ + data, 1);
  out8(base_ + interrupt_enable, 0);
  out8(base_ + line_control, eight_bits);
  out8(base_ + fifo_control, fifo_enable_and_clear);
  out8(base_ + modem_control, dtr_rts_out2);
  return true;
}

void Uart16550::put(char character) {
  while ((in8(base_ + line_status) & transmitter_empty) == 0) asm volatile("pause");
  out8(base_ + data, static_cast<u8>(character));
}

void Uart16550::write(std::string_view text) {
  for (const char character : text) {
    if (character == '\n') put('\r');
    put(character);
  }
}

}  // namespace pulse
