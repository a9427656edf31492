// ACPI power management: function 00:01.3 of a PIIX4-like southbridge.
//
// Manuals: Intel 82371AB PIIX4 datasheet (290562), 7.1 and 7.2; ACPI Specification 2.0, 4.7.3 (fixed hardware).
// Interrupt: SCI, level, on IRQ 9. High while an enabled status bit is set and SCI_EN is 1; the handler clears the
// status bit by writing a one to it. Causes: power button, PM timer (its top bit toggles), general-purpose events. Not
// modelled: SMI# and SMM (there is no firmware, so SCI_EN is 1 from power-on and SMI_CMD does not exist), sleep states
// other than S5, clock throttling, SMBus, device monitors. The base address register PMBASE reads as the board has set
// it and does not move.
#pragma once

#include "machine/core/device.hpp"
#include "machine/core/device_records.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/core/outside.hpp"
#include "machine/core/pci.hpp"

namespace vitrine {

class AcpiPm final : public Device {
 public:
  enum class Window : u8 { Registers };
  /// The ports, as offsets from PMBASE (82371AB, 7.2).
  static constexpr u32 port_count = 64;
  enum Register : u8 {
    pm1_status = 0x00,
    pm1_enable = 0x02,
    pm1_control = 0x04,
    pm_timer = 0x08,
    general_status = 0x0C,
    general_enable = 0x0E,
  };
  /// Bits of pm1_status and pm1_enable (ACPI 2.0, 4.7.3.1).
  static constexpr u16 timer_bit = 1 << 0, global_lock_bit = 1 << 5, power_button_bit = 1 << 8,
                       sleep_button_bit = 1 << 9, rtc_bit = 1 << 10, wake_bit = 1 << 15;
  /// Bits of pm1_control (82371AB, 7.2.3).
  static constexpr u16 sci_enable_bit = 1 << 0, sleep_enable_bit = 1 << 13;
  /// Causes in the Raised record of the SCI line.
  enum class Cause : u8 { None, Timer, GlobalLock, PowerButton, SleepButton, Rtc, GeneralPurpose };

  static constexpr ClockRatio timer_clock{3'579'545};
  enum class TimerWidth : u8 { Bits24 = 24, Bits32 = 32 };

  /// What firmware would have chosen, and has told the guest in the ACPI tables.
  struct Strapping {
    Port base{0x600};  ///< PMBASE
    TimerWidth width = TimerWidth::Bits24;
    u8 soft_off_sleep_type = 0;  ///< SLP_TYP of the _S5 object, 0..7
  };
  AcpiPm(DeviceContext context, LineDriver sci, MachineControl& control, const Strapping& strapping);

  [[nodiscard]] std::string_view name() const override { return "acpi-pm"; }
  void accessed(u64 where) override { sci_.attended(where); }
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override { return peek(region, offset, size); }
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void event(u16 kind, u64 payload) override;
  void exchange(Archive& archive) override;

  /// Someone presses the power button.
  void press_power_button();

  /// The configuration registers of 00:01.3, for the board to attach to the bus.
  PciConfig& config() { return config_; }

 private:
  enum EventKind : u16 { timer_carry };
  struct State {
    u16 latched_status = 0;  // PMSTS without the timer's bit, which follows from the clock
    u16 enable = 0;          // PMEN
    u16 control = sci_enable_bit;
    u16 general_status = 0;           // GPSTS
    u16 general_enable = 0;           // GPEN
    u64 timer_half_acknowledged = 0;  // half periods of the timer at the last clear of TMROF_STS
    // For the ledger.
    BitSettings<16> enable_settings;
    Setting sci_switched{};             // SCI_EN
    std::array<Withholding, 7> told{};  // by Cause
  };
  [[nodiscard]] unsigned top_bit() const { return static_cast<unsigned>(strapping_.width) - 1; }
  [[nodiscard]] u64 timer_half() const;
  [[nodiscard]] u16 status() const;
  [[nodiscard]] Cause cause() const;
  void report_withheld();
  [[nodiscard]] u8 byte(u64 offset) const;
  void set_byte(u64 offset, u8 value);
  void update();

  DeviceContext context_;
  LineDriver sci_;
  LineRecords records_;
  MachineControl& control_;
  Strapping strapping_;
  PciConfig config_;
  State state_;
};

}  // namespace vitrine
