#include "kernel/drivers/uart16550.hpp"

#include "kernel/arch/x86_64/cpu.hpp"

namespace pulse {

namespace {
constexpr u8 divisor_latch = 0x80, eight_bits = 0x03;
constexpr u8 fifo_enable_and_clear = 0x07;
constexpr u8 dtr_rts_out2 = 0x0B;
constexpr u8 scratch_pattern = 0x5A;
constexpr u8 on_received = 1, on_transmitter_empty = 2;
}  // namespace

u8 Uart16550::read(Register which) const { return in8(base_ + which); }

bool Uart16550::initialise() {
  out8(base_ + scratch, scratch_pattern);
  if (read(scratch) != scratch_pattern) return false;
  out8(base_ + interrupt_enable, 0);
  out8(base_ + line_control, divisor_latch | eight_bits);
  out8(base_ + data, 1);
  out8(base_ + interrupt_enable, 0);
  out8(base_ + line_control, eight_bits);
  // Switching the FIFOs on clears them (data sheet, FCR): what came before the kernel did is saved.
  while (early_count_ < early_.size() && (read(line_status) & data_ready) != 0) early_[early_count_++] = read(data);
  out8(base_ + fifo_control, fifo_enable_and_clear);
  out8(base_ + modem_control, dtr_rts_out2);
  return true;
}

void Uart16550::start(Service service) {
  const InterruptsOff off;
  service_ = service;
  if (service == Service::Interrupts) set_enabled(on_received);
}

void Uart16550::set_enabled(u8 causes) {
  if (enabled_ == causes) return;
  enabled_ = causes;
  out8(base_ + interrupt_enable, causes);
}

void Uart16550::wait_and_put(u8 byte) {
  while ((read(line_status) & transmitter_empty) == 0) asm volatile("pause");
  out8(base_ + data, byte);
}

void Uart16550::write(std::string_view text) {
  const InterruptsOff off;
  while (out_ != in_) wait_and_put(ring_[out_++ % ring_.size()]);
  for (const char character : text) {
    if (character == '\n') wait_and_put('\r');
    wait_and_put(static_cast<u8>(character));
  }
}

void Uart16550::fill_transmitter() {
  for (std::size_t i = 0; i < fifo_bytes && out_ != in_; ++i) out8(base_ + data, ring_[out_++ % ring_.size()]);
  if (service_ == Service::Interrupts) {
    set_enabled(out_ != in_ ? on_received | on_transmitter_empty : on_received);
  }
}

void Uart16550::send(std::span<const u8> bytes) {
  const InterruptsOff off;
  for (const u8 byte : bytes) {
    if (service_ == Service::Polled) {
      wait_and_put(byte);
      continue;
    }
    if (in_ - out_ == ring_.size()) wait_and_put(ring_[out_++ % ring_.size()]);
    ring_[in_++ % ring_.size()] = byte;
  }
  // Nobody interrupts for a transmitter that was empty before: the first bytes are given to it here.
  if ((enabled_ & on_transmitter_empty) == 0 && out_ != in_ && (read(line_status) & transmitter_empty) != 0) {
    fill_transmitter();
  } else if (out_ != in_) {
    set_enabled(on_received | on_transmitter_empty);
  }
}

}  // namespace pulse
