// One counter of an 8254. It knows its own CLK pulses only, as absolute numbers since power-on: a state is the counter
// at pulse `reached`, and advance() gives it at any later pulse in a few steps, however far that is. Nothing
// accumulates.
//
// "Pulse p" is the falling edge of CLK at which counts are loaded and decremented. What is written between pulses p and
// p + 1 is loaded at p + 1 (data sheet 231164, "Operation Common to All Modes").
#pragma once

#include <optional>

#include "base/types.hpp"
#include "machine/core/archive.hpp"
#include "machine/core/device.hpp"

namespace vitrine {

class Pit8254Counter {
 public:
  explicit Pit8254Counter(Level gate = Level::High) : gate_(gate) {}

  // Each change happens at `pulse`, which is never earlier than the one before.
  void write_control(u8 control, u64 pulse);
  void write(u8 byte, u64 pulse);
  u8 read(u64 pulse);
  void latch_count(u64 pulse);
  void latch_status(u64 pulse);
  void set_gate(Level level, u64 pulse);
  void advance(u64 pulse);

  // Questions about the counter at the pulse that it has reached.
  [[nodiscard]] Level output() const;
  [[nodiscard]] Level gate() const { return gate_; }
  [[nodiscard]] u64 reached() const { return reached_; }
  /// The counting element as a read shows it: binary or four decimal digits.
  [[nodiscard]] u16 count() const;
  /// A pulse up to which OUT can't change, and at which it may. Nothing: it stays as it is.
  [[nodiscard]] std::optional<u64> next_change() const;
  [[nodiscard]] u8 peek(u64 pulse) const;
  /// The whole count that was written since the control word, 1 to 0x10000; 0: none.
  [[nodiscard]] u32 programmed_count() const { return has_count_ ? initial_count() : 0; }

  void exchange(Archive& archive);

 private:
  enum class ByteSelect : u8 { Low, High };

  [[nodiscard]] Pit8254Counter at(u64 pulse) const;
  [[nodiscard]] u8 mode() const;
  [[nodiscard]] u8 access() const;
  [[nodiscard]] bool decimal() const;
  [[nodiscard]] u32 modulus() const { return decimal() ? 10'000 : 0x10000; }
  [[nodiscard]] u32 initial_count() const;
  [[nodiscard]] bool counts() const;
  [[nodiscard]] u32 rest_of_half() const;
  [[nodiscard]] u8 status() const;
  void count_written(u64 pulse);
  void load();
  void reload_half();
  void count_to(u64 pulse);
  void count_down(u64 pulses);
  void count_periods(u64 pulses);
  void count_square_wave(u64 pulses);

  u8 control_ = 0;  // the control word's RW, M and BCD bits
  Level gate_;

  // CR, the count register, and the way into it.
  u16 register_ = 0;
  u8 written_low_ = 0;
  ByteSelect next_written_ = ByteSelect::Low;
  bool has_count_ = false;  // since the control word
  bool null_count_ = true;  // CR has not yet gone into CE
  bool halted_ = false;     // mode 0, between the two bytes of a count

  // OL, the output latch, and the way out.
  ByteSelect next_read_ = ByteSelect::Low;
  bool count_latched_ = false;
  bool status_latched_ = false;
  u16 latched_count_ = 0;
  u8 latched_status_ = 0;

  // CE, the counting element.
  u64 reached_ = 0;
  std::optional<u64> load_at_{};  // the pulse at which CR goes into CE
  bool loaded_ = false;           // since the control word
  u32 element_ = 0;               // up to 0x10000, which reads as 0
  u32 period_ = 1;                // the count that it was last loaded from
  bool expired_ = false;          // modes 0, 1, 4, 5: has been 0 since it was loaded...
  u64 expired_at_ = 0;            // ... at this pulse first
  bool high_half_ = true;         // mode 3
};

}  // namespace vitrine
