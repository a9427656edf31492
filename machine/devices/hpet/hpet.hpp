// The high precision event timers: one 64-bit counter of 100 MHz and three comparators.
//
// Manual: IA-PC HPET (High Precision Event Timers) Specification 1.0a, October 2004 ("HPET" below).
//
// The counter takes 10 ns (10,000,000 fs) for a step, so that each step ends on a nanosecond of virtual time. All three
// timers are 64 bits wide and can be periodic.
//
// How its interrupt behaves: when the counter, counting, gets to a timer's comparator, the timer matches. Level type:
// its status bit is set, and its line is high until the guest clears the bit by writing a one. Edge type: its line goes
// low and high again, and stays high until the next match. In periodic mode each match adds the period to the
// comparator. A comparator that is written behind the counter waits for the counter to wrap (which takes 43 s in 32-bit
// mode and 5849 years else): hardware compares for equality. Matches that change nothing but the comparator (its
// interrupt is off, or its status bit is set already) have no event; the comparator is computed when it is asked for.
//   Where it goes: with legacy replacement timer 0 to the line of IRQ 0 and timer 1 to that of IRQ 8, and what PIT and
// clock chip drive there is cut off. Else, if FSB delivery is enabled, a message. Else the line that the timer's route
// says; one that is not in its capability mask can't be set.
//
// Wiring: what PIT and clock chip would drive on IRQ 0 and IRQ 8 comes in at pins 0 and 1 and goes on, under the same
// request, to `irq0` and `irq8`; give the wires in front the numbers 0 and 8, so that the requests begin there. `irq0`
// ends at the 8259's pin 0 and the I/O APIC's pin 2. `routes[n]` is the line at the I/O APIC's pin n: the capability
// mask of each timer has the bits whose driver is connected. Registers: `window_bytes` at FED00000h.
//
// Not modelled: drift, more than one block.
#pragma once

#include <array>

#include "machine/core/device.hpp"
#include "machine/core/device_records.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/core/message_port.hpp"

namespace vitrine {

class Hpet final : public Device {
 public:
  static constexpr Region registers{0};
  static constexpr u64 window_bytes = 0x400;
  static constexpr u8 timers = 3;
  static constexpr u64 period_femtoseconds = 10'000'000;
  static constexpr u64 period_ns = 10;
  /// Of what a shorter period asks for, interrupts are lost (3.2.4, "minimum clock tick in periodic mode"; the ACPI
  /// table says the same number): matches come no closer than that many steps.
  static constexpr u64 least_period = 128;
  static constexpr Pin pit_pin{0}, rtc_pin{1};

  /// Offsets (HPET 2.3.1).
  enum Register : u16 {
    capabilities = 0x000,
    configuration = 0x010,
    interrupt_status = 0x020,
    main_counter = 0x0F0,
    first_timer = 0x100,  ///< timer n: 20h bytes: configuration, comparator, FSB route
    timer_stride = 0x20,
    timer_comparator = 0x08,
    timer_fsb_route = 0x10,
  };
  /// Bits of the general configuration (HPET 2.3.5).
  static constexpr u64 enable_bit = 1 << 0, legacy_bit = 1 << 1;
  /// Bits of a timer's configuration (HPET 2.3.8); the route is 13:9.
  static constexpr u64 level_bit = 1 << 1, interrupt_enable_bit = 1 << 2, periodic_bit = 1 << 3,
                       periodic_capable_bit = 1 << 4, wide_capable_bit = 1 << 5, set_accumulator_bit = 1 << 6,
                       narrow_bit = 1 << 8, fsb_enable_bit = 1 << 14, fsb_capable_bit = 1 << 15;

  static constexpr u8 most_routes = 32;
  struct Wiring {
    LineDriver irq0{};
    LineDriver irq8{};
    std::array<LineDriver, most_routes> routes{};
    MessagePort* messages = nullptr;  ///< null: no FSB delivery
  };
  Hpet(DeviceContext context, const Wiring& wiring);

  [[nodiscard]] std::string_view name() const override { return "hpet"; }
  void accessed(u64 where) override;
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override { return peek(region, offset, size); }
  /// Aligned accesses of 4 and 8 bytes (HPET 2.3.1); others do nothing.
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void line_changed(Pin pin, Level level, RequestId request) override;
  void event(u16 kind, u64 payload) override;
  void exchange(Archive& archive) override;

  /// The main counter now.
  [[nodiscard]] u64 counter() const;
  /// As what the timers' messages could be delivered, as the guest has set them up.
  [[nodiscard]] MessageModes message_modes() const;
  [[nodiscard]] bool is_legacy() const { return (state_.configuration & legacy_bit) != 0; }

 private:
  struct Timer {
    u64 configuration = 0;  // the writable bits
    u64 comparator = ~u64{0};
    u64 followed = 0;  // the counter to which the comparator has been brought: it matches behind it
    u64 period = 0;
    u64 fsb_route = 0;       // value, address << 32
    bool edge_high = false;  // it has matched, as edge type: its line stays up
    Setting set{};           // the last change of the configuration
    Withholding told{};
    void exchange(Archive& archive) {
      archive(configuration, comparator, followed, period, fsb_route, edge_high, set, told);
    }
  };
  /// What the PIT or the clock chip drives on one of the two legacy lines.
  struct Passing {
    bool high = false;
    RequestId request{};
    Tick told_since{};  // a Blocked record was made of the legacy setting of this time
    bool told = false;
    void exchange(Archive& archive) { archive(high, request, told_since, told); }
  };
  struct State {
    u64 configuration = 0;
    u64 status = 0;
    u64 counter = 0;   // when it was last halted or written
    Tick started{};    // since when it counts from there
    Setting legacy{};  // the last change of legacy replacement
    std::array<Timer, timers> timers{};
    std::array<Passing, 2> passing{};
  };

  [[nodiscard]] bool counts() const { return (state_.configuration & enable_bit) != 0; }
  [[nodiscard]] bool is_on_legacy_line(u8 timer) const { return is_legacy() && timer < 2; }
  [[nodiscard]] bool sends_messages(u8 timer) const;
  [[nodiscard]] u8 route(u8 timer) const;
  [[nodiscard]] const LineDriver& line_of(u8 timer) const;
  [[nodiscard]] u32 route_capabilities() const;
  [[nodiscard]] bool wants_line(u8 timer) const;
  [[nodiscard]] u64 register_at(u64 offset) const;
  void write_register(u64 offset, u64 value, u64 written_bits);
  void configure(u64 value);
  void configure_timer(u8 number, u64 value);
  void set_comparator(u8 number, u64 value, u64 written_bits);
  [[nodiscard]] u64 comparator_now(const Timer& timer) const;
  [[nodiscard]] bool match_changes_nothing(u8 number) const;
  void follow(u8 number);
  void schedule(u8 number, u64 least = 0);
  void schedule_all();
  void match(u8 number);
  void send_message(u8 number);
  void report_no_line(u8 number);
  void pass(u8 which);
  void update();
  void programmed(ControllerRegister which, u8 pin, u64 old, u64 now);

  DeviceContext context_;
  Wiring wiring_;
  State state_;
};

}  // namespace vitrine
