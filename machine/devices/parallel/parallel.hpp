// The PC's parallel port with a printer that is always ready: each strobed byte goes out to the host.
//
// Manual: IBM PC/AT Technical Reference, "Serial/Parallel Adapter"; IBM PS/2 Hardware Interface Technical Reference,
//   "Parallel Port" for the interrupt status; IEEE 1284 (compatibility mode) for the handshake.
// Interrupt: one output (IRQ 7 or 5). With control bit 4 set, the rising edge of nACK sets a latch and the line goes
//   high; reading the status port, the next byte's nACK, or clearing bit 4 lowers it.
// Timing: BUSY from the strobe, nACK low from 2 us to 7 us after it; then BUSY falls and nACK rises.
// Power-on state is what firmware leaves: nINIT high, printer selected. A strobe while BUSY or nINIT low is lost.
// Not modelled: reading bytes from the device (bidirectional, EPP, ECP): control bit 5 does nothing and reads 1.
// unverified: status bits 0 and 1 read 1 (nothing drives them); the latch remembers nothing while bit 4 is clear.
#pragma once

#include "machine/core/device.hpp"
#include "machine/core/device_records.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/core/outside.hpp"

namespace vitrine {

class ParallelPort final : public Device {
 public:
  static constexpr u32 port_count = 3;
  /// What a Raised record's detail says.
  enum class Cause : u8 { None, Acknowledged };

  /// `name` and `outputs` must outlive the device. Bytes leave through `channel`.
  ParallelPort(DeviceContext context, std::string_view name, Channel channel, LineDriver irq, Outputs& outputs);

  [[nodiscard]] bool interrupt_wanted() const { return state_.acknowledged; }

  [[nodiscard]] std::string_view name() const override { return name_; }
  void accessed(u64 where) override { irq_.attended(where); }
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override;
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void event(u16 kind, u64 payload) override;
  void exchange(Archive& archive) override;

 private:
  struct State {
    u8 data = 0;
    u8 control = 0x0C;          // nINIT high, selected
    bool busy = false;          // the printer is taking a byte
    bool ack_low = false;       // pin nACK
    bool acknowledged = false;  // the interrupt latch
    // For the ledger.
    Setting interrupt_switched{};  // control bit 4
    Withholding told{};
    void exchange(Archive& archive) { archive(data, control, busy, ack_low, acknowledged, interrupt_switched, told); }
  };
  [[nodiscard]] u8 value_at(u64 offset) const;
  [[nodiscard]] bool printer_is_in_reset() const;
  void write_control(u8 value);
  void stop_printer();
  void update();

  DeviceContext context_;
  std::string_view name_;
  Channel channel_;
  LineDriver irq_;
  LineRecords records_;
  Outputs& outputs_;
  State state_;
};

}  // namespace vitrine
