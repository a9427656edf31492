// The I/O APIC: 24 interrupt pins, each with a redirection entry that says which message goes to which local APIC.
//
// Manuals: Intel 82093AA I/O APIC data sheet, order number 290566 ("DS" below), for version 11h; Intel I/O Controller
// Hub 9 (ICH9) data sheet, 316972, 13.5, for version 20h, which adds the EOI register and has no arbitration id.
//
// How its interrupt behaves: an edge on an unmasked pin becomes one message. An edge on a masked pin is lost, unlike in
// an 8259. A level on an unmasked pin becomes a message when no earlier one is unanswered: its acceptance sets the
// entry's remote IRR, and the EOI of its vector clears that, broadcast by a local APIC or written to the EOI register
// (20h). If the pin is still active then, the next message goes out at once. NMI, SMI, INIT and ExtINT are sent on
// edges only, whatever the trigger mode says (DS 3.2.4).
//
// Polarity: `Wiring::active_low` says on which pins a line that devices assert (Level::High on our wires) is an
// electrical low: those of PCI's INTx#. The entry's polarity bit says which electrical level the guest takes for an
// interrupt. Where the two differ, the guest has what real hardware gives it: on a level pin, interrupts without end
// while no device asks for one, and none when one does; on an edge pin, the interrupt when the line is released.
//
// Wiring: line_changed(Pin(n), ...) for each pin that the board connects; an unconnected pin reads as not asserted. It
// attaches itself to the ApicBus for EOI broadcasts. Registers: one region of `window_bytes` at FEC00000h.
//
// Not modelled: the serial APIC bus and its arbitration (the arbitration id is the id), physical destinations of 4 bits
// (all 8 are sent, as chips of version 20h do), the width of edges.
#pragma once

#include <array>
#include <string_view>

#include "base/types.hpp"
#include "machine/core/device.hpp"
#include "machine/core/device_records.hpp"
#include "machine/core/interrupt_message.hpp"

namespace vitrine {

class IoApic final : public Device, public BusListener {
 public:
  static constexpr Region registers{0};
  static constexpr u64 window_bytes = 0x1000;
  static constexpr u8 pins = 24;

  /// Offsets in the window (DS 3.1; ICH9 13.5.1).
  static constexpr u64 select_offset = 0x00;  // IOREGSEL: index, 8 bits
  static constexpr u64 data_offset = 0x10;    // IOWIN: 32 bits, by aligned 32-bit accesses only
  static constexpr u64 eoi_offset = 0x40;     // version 20h: EOIR, a vector, write-only
  /// Indices (DS 3.2).
  static constexpr u8 id_index = 0x00, version_index = 0x01, arbitration_index = 0x02, first_entry_index = 0x10;

  /// Bits of a redirection entry (DS 3.2.4). Vector 7:0, delivery mode 10:8 (MessageMode), destination 63:56.
  static constexpr u64 logical_bit = 1 << 11, delivery_status_bit = 1 << 12, active_low_bit = 1 << 13,
                       remote_irr_bit = 1 << 14, level_bit = 1 << 15, mask_bit = 1 << 16;
  static constexpr u64 writable_bits = 0xFF00'0000'0001'AFFF;

  enum class Version : u8 { V11 = 0x11, V20 = 0x20 };
  struct Wiring {
    Version version = Version::V11;
    u32 active_low = 0;  ///< bit n: a line that devices assert is an electrical low at pin n
  };
  IoApic(DeviceContext context, Wiring wiring, ApicBus& bus);

  [[nodiscard]] std::string_view name() const override;
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override { return peek(region, offset, size); }
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void line_changed(Pin pin, Level level, RequestId request) override;
  void eoi_broadcast(u8 vector) override;
  void receivers_changed() override;
  void exchange(Archive& archive) override;

  // Questions. They change nothing.

  /// The 64 bits of a pin's redirection entry, as the guest reads them.
  [[nodiscard]] u64 entry(Pin pin) const;
  /// Is the input at the level that the entry's polarity takes for an interrupt?
  [[nodiscard]] bool active(Pin pin) const;
  /// As what changes of the inputs could be delivered: the modes of all entries that are not masked.
  [[nodiscard]] MessageModes message_modes() const;

 private:
  struct PinState {
    u64 entry = mask_bit;  // without delivery status and remote IRR
    bool asserted = false;
    RequestId line{};     // what the wire carries
    RequestId phantom{};  // of an input that is active with no device behind it: a wrong polarity
    bool edge = false;    // an edge that update() has not looked at yet
    bool remote_irr = false;
    RequestId serving{};  // what remote IRR stands for
    Tick serving_since{};
    bool refused = false;  // delivery status: a level message that nobody accepted
    Setting masked{};
    // The last Blocked record.
    Obstacle told = Obstacle::None;
    Tick told_since{};
    RequestId told_request{};
    void exchange(Archive& archive);
  };
  struct State {
    u8 select = 0;            // IOREGSEL
    u8 id = 0;                // IOAPICID 27:24
    bool was_opened = false;  // some entry was unmasked since reset: the guest uses this chip
    std::array<PinState, pins> pins{};
  };

  [[nodiscard]] bool is_level(const PinState& state) const;
  [[nodiscard]] RequestId request(u8 pin) const;
  [[nodiscard]] u32 indexed(u8 index) const;
  void write_indexed(u8 index, u32 value);
  void write_entry(u8 pin, u64 value);
  void end_of_interrupt(u8 pin, EndKind kind);
  void send(u8 pin);
  void report_obstacle(u8 pin);
  void update();
  void record(u8 pin, Record record) const;
  [[nodiscard]] Setting here() const { return {context_.ledger.context.address, context_.clock.now()}; }

  DeviceContext context_;
  Wiring wiring_;
  ApicBus& bus_;
  State state_;
};

}  // namespace vitrine
