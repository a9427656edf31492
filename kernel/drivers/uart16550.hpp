// A 16550 serial port (National PC16550D): the log's console, and what the terminal on it sends and receives.
//
// Terminal output goes into a ring that the transmitter's interrupt empties, 16 bytes at a time. The log waits for the
// chip instead: its lines must be out when it returns. Both keep their order.
#pragma once

#include <array>

#include "kernel/core/interrupts.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/types.hpp"

namespace pulse {

class Uart16550 final : public Console {
 public:
  explicit constexpr Uart16550(u16 base) : base_(base) {}
  /// 115200 baud, 8N1, FIFOs on, interrupts off. False if there is no such chip.
  bool initialise();
  /// Waits until all is in the chip.
  void write(std::string_view text) override;

  enum class Service : u8 { Interrupts, Polled };
  /// From now on bytes come and go by interrupt; or by poll() alone, and send() waits for the chip.
  void start(Service service);
  void send(std::span<const u8> bytes);
  /// What the chip wants, from its interrupt or the polling timer: takes received bytes to `received(byte)`, gives it
  /// more to send. False: it wanted nothing. Interrupts are off.
  template <class Received>
  bool serve(Received received);

 private:
  enum Register : u16 {
    data = 0,
    interrupt_enable = 1,
    interrupt_identification = 2,
    fifo_control = 2,
    line_control = 3,
    modem_control = 4,
    line_status = 5,
    modem_status = 6,
    scratch = 7
  };
  static constexpr u8 data_ready = 0x01, transmitter_empty = 0x20;
  static constexpr std::size_t fifo_bytes = 16;

  void wait_and_put(u8 byte);
  void fill_transmitter();
  void set_enabled(u8 causes);
  [[nodiscard]] u8 read(Register which) const;

  u16 base_;
  Service service_ = Service::Polled;
  u8 enabled_ = 0;
  std::array<u8, 4096> ring_{};
  u32 in_ = 0, out_ = 0;
  std::array<u8, fifo_bytes> early_{};  // received before initialise()
  u32 early_count_ = 0;
};

template <class Received>
bool Uart16550::serve(Received received) {
  constexpr u8 nothing_pending = 1;
  bool any = false;
  for (u32 i = 0; i < early_count_; ++i) received(early_[i]);
  early_count_ = 0;
  // The identification names one cause at a time; reading it is what ends "transmitter empty" (data sheet, table III).
  while (service_ == Service::Polled || (read(interrupt_identification) & nothing_pending) == 0) {
    const u8 status = read(line_status);
    (void)read(modem_status);
    if ((status & data_ready) != 0) {
      received(read(data));
    } else if (service_ == Service::Polled) {
      break;
    }
    if ((status & transmitter_empty) != 0) fill_transmitter();
    any = true;
  }
  return any;
}

}  // namespace pulse
