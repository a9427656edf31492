// The 8254 programmable interval timer: three 16-bit counters on a 1.193182 MHz clock. Ports 0x40-0x43 of a PC.
//
// Manual: Intel 8254 data sheet, order number 231164.
//
// How its interrupt behaves: OUT 0 is IRQ 0, as it is: in mode 2 low for one clock in each period, in mode 3 a square
// wave, in mode 0 high from the terminal count until a new count is written. The controller sees the rising edge.
//
// All six modes, binary and decimal, all three accesses, counter latch and read-back are here. Each counter is computed
// from the clock's absolute count when it is asked; events exist only for the changes of OUT 0, so no period drifts.
//
// Not modelled: the time from a pulse to its output, counts that change while they are read unlatched.
#pragma once

#include <array>
#include <string_view>

#include "base/types.hpp"
#include "machine/core/clock.hpp"
#include "machine/core/device.hpp"
#include "machine/core/device_records.hpp"
#include "machine/core/gate_and_output.hpp"
#include "machine/core/interrupt_line.hpp"
#include "machine/devices/pit8254/counter.hpp"

namespace vitrine {

class Pit8254 final : public Device {
 public:
  static constexpr Region registers{0};  ///< 4 bytes: counters 0, 1, 2, control word
  static constexpr u8 counters = 3;
  /// 14.31818 MHz / 12, as every PC operating system has it.
  static constexpr ClockRatio clk{1'193'182};

  /// Why IRQ 0 rises, for the ledger.
  enum class Cause : u8 {
    Counted = 1,     ///< the counter got there
    Programmed = 2,  ///< a control word sets OUT high
  };

  /// `out0`: IRQ 0. Gates 0 and 1 are tied high; gate 2 is low until it is driven.
  Pit8254(DeviceContext context, LineDriver out0);
  /// What another chip may do with counter `index`, 0 to 2.
  GateAndOutput& pins(u8 index) { return pins_[index]; }

  [[nodiscard]] std::string_view name() const override { return "pit"; }
  void accessed(u64 where) override { out0_.attended(where); }
  void reset() override;
  u64 read(Region region, u64 offset, AccessSize size) override;
  void write(Region region, u64 offset, AccessSize size, u64 value) override;
  [[nodiscard]] u64 peek(Region region, u64 offset, AccessSize size) const override;
  void event(u16 kind, u64 payload) override;
  void exchange(Archive& archive) override;

  /// OUT of counter `index` now.
  [[nodiscard]] Level output(u8 index) const;
  void set_gate(u8 index, Level level);

 private:
  enum EventKind : u16 { out0_changes, still_not_programmed };

  class Pins final : public GateAndOutput {
   public:
    Pins(Pit8254& pit, u8 index) : pit_(pit), index_(index) {}
    void set_gate(Level level) override { pit_.set_gate(index_, level); }
    [[nodiscard]] Level output() const override { return pit_.output(index_); }

   private:
    Pit8254& pit_;
    u8 index_;
  };
  struct State {
    std::array<Pit8254Counter, counters> counters{Pit8254Counter(Level::High), Pit8254Counter(Level::High),
                                                  Pit8254Counter(Level::Low)};
    // For the ledger, of counter 0.
    u8 control_word = 0;
    Setting control_written{};
    u32 count = 0;
    Withholding told{};
    void exchange(Archive& archive) { archive(counters, control_word, control_written, count, told); }
  };

  [[nodiscard]] u64 pulse() const { return clk.counts_at(context_.clock.now()); }
  u8 read_byte(u64 offset);
  void write_byte(u64 offset, u8 value);
  void note_control(u8 value);
  void note_count();
  void expect_programming();
  void read_back(u8 command);
  void catch_up();
  void drive(Cause cause);
  void update(Cause cause);

  DeviceContext context_;
  LineDriver out0_;
  LineRecords records_;
  std::array<Pins, counters> pins_;
  State state_;
};

}  // namespace vitrine
