// MC146818A: the real-time clock with alarm, periodic interrupt and battery-backed CMOS memory, as on a PC/AT.
//
// Manual: Motorola MC146818A data sheet (MC146818A/D, 1984), "DS" below. IBM PC/AT Technical Reference, "Real-Time
//   Clock/CMOS RAM Information" for the port pair 0x70/0x71 and the NMI mask; the AMI and Phoenix BIOS CMOS maps for
//   the bytes that hold memory sizes.
// Interrupt: one output (IRQ 8), high while a flag of register C is set together with its enable bit in register B.
//   Reading register C clears all flags and lowers the line. Flags are set whether or not they are enabled.
// Timing: the divider chain counts a 32768 Hz crystal exactly in virtual time. An update cycle ends at each full second
//   of virtual time until a guest resets the chain. Events exist only for interrupts that are enabled and not yet
//   flagged; everything else is computed when somebody looks.
// RESET (DS, pin RESET): clears the enables and flags; time, alarm and memory have their own battery.
// Not modelled: daylight saving (bit DSE is kept, without effect), the square-wave output (not connected on a PC),
//   time bases other than 32768 Hz (the chain stands still), loss of battery power (VRT is always 1).
// unverified: reads during an update cycle return the old time (the data sheet: undefined); values out of range wrap
//   at their next increment; byte 0x32 follows the century, as in the DS12887 and later parts; port 0x70 reads 0xFF.
#pragma once

#include <array>

#include "machine/core/device.hpp"
#include "machine/core/device_records.hpp"
#include "machine/core/interrupt_line.hpp"

namespace vitrine {

class Mc146818 final : public Device {
 public:
  /// Port 0x70 (offset 0): address and NMI mask; port 0x71 (offset 1): data.
  static constexpr u32 port_count = 2;
  /// What a Raised record's detail says.
  enum class Cause : u8 { None, Periodic, Alarm, UpdateEnded };
  /// What the battery-backed memory says of its board when it is made.
  struct Contents {
    u64 unix_seconds = 0;     ///< UTC at power-on
    u64 memory_below_4g = 0;  ///< bytes from address 0 up to the PCI hole, conventional memory included
    u64 memory_above_4g = 0;  ///< bytes
    u8 equipment = 0x06;      ///< byte 0x14: coprocessor and pointing device, no floppy
    u8 floppy_types = 0;      ///< byte 0x10: none
  };

  /// `nmi_mask` is high while the guest has NMIs off by bit 7 of port 0x70.
  Mc146818(DeviceContext context, LineDriver irq, LineDriver nmi_mask, const Contents& contents);

  /// Bit 7 of the last write to port 0x70: the board keeps NMIs from the CPU.
  [[nodiscard]] bool nmi_masked() const { return state_.nmi_masked; }
  /// The output pin: a flag is set together with its enable.
  [[nodiscard]] bool interrupt_wanted() const;

  [[nodiscard]] std::string_view name() const override { return "rtc"; }
  void accessed(u64 where) override { irq_.attended(where); }
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override;
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void event(u16 kind, u64 payload) override;
  void exchange(Archive& archive) override;

 private:
  struct State {
    u8 index = 0;
    bool nmi_masked = false;
    u8 control_a = 0x26;  // 32768 Hz, 1024 Hz periodic rate: as firmware leaves it
    u8 control_b = 0x02;  // 24 hours, BCD
    u8 flags = 0;         // register C without IRQF
    std::array<u8, 128> memory{};
    i64 phase = 0;          // the divider chain's value is crystal clocks since power-on plus `phase`
    u64 updates_done = 0;   // update cycles that time and flags know of
    u64 periodic_done = 0;  // value of the chain up to which periodic edges are in the flags
    // For the ledger.
    BitSettings<8> control_b_settings;
    Tick flagged_since{};                      // the output is high since then; 0: it is low
    std::array<Withholding, 4> not_enabled{};  // by Cause
    Withholding not_read{};
    void exchange(Archive& archive);
  };
  void load_time(u64 unix_seconds);
  void load_configuration(const Contents& contents);

  /// Value of the divider chain; UIP rises at each multiple of 32768.
  [[nodiscard]] u64 chain() const;
  [[nodiscard]] Tick tick_of_chain(u64 value) const;
  [[nodiscard]] bool update_in_progress() const;
  /// Brings time and flags of `state` to now.
  void catch_up(State& state) const;
  [[nodiscard]] u8 value_at(const State& state, u8 index) const;
  u8 read_data();
  void write_data(u8 value);
  void write_control_a(u8 value);
  void set_control_b(u8 value, const Setting& setting);
  [[nodiscard]] static Cause cause_of(u8 flags);
  [[nodiscard]] bool told_not_read() const;
  void report_not_enabled();
  void schedule_edges();
  void update();

  DeviceContext context_;
  LineDriver irq_;
  LineDriver nmi_mask_;
  LineRecords records_;
  State state_;
};

}  // namespace vitrine
