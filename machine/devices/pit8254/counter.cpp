#include "machine/devices/pit8254/counter.hpp"

#include "base/bits.hpp"

namespace vitrine {

namespace {
// Access, from the control word's RW1 and RW0.
constexpr u8 low_byte_only = 1;
constexpr u8 high_byte_only = 2;

u32 from_decimal(u16 digits) {
  return bits(digits, 15, 12) * 1000u + bits(digits, 11, 8) * 100u + bits(digits, 7, 4) * 10u + bits(digits, 3, 0);
}

u16 to_decimal(u32 value) {
  return static_cast<u16>(value / 1000 % 10 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10);
}
}  // namespace

// M2, M1, M0: modes 2 and 3 leave M2 open.
u8 Pit8254Counter::mode() const {
  const u8 value = bits(control_, 3, 1);
  return value > 5 ? value - 4 : value;
}

u8 Pit8254Counter::access() const { return bits(control_, 5, 4); }

bool Pit8254Counter::decimal() const { return bit(control_, 0); }

// 0 stands for the largest count. unverified: a digit above 9 counts for what it is.
u32 Pit8254Counter::initial_count() const {
  const u32 count = decimal() ? from_decimal(register_) : register_;
  return count == 0 ? modulus() : count;
}

u16 Pit8254Counter::count() const { return decimal() ? to_decimal(element_ % modulus()) : static_cast<u16>(element_); }

// Figure "Gate Pin Operations": a low gate stops modes 0, 2, 3 and 4; in 1 and 5 only its edge counts.
bool Pit8254Counter::counts() const {
  if (mode() == 1 || mode() == 5) return true;
  return gate_ == Level::High && !halted_;
}

// Mode 3. An odd count is loaded minus one; its high half is one pulse longer than the low one.
u32 Pit8254Counter::rest_of_half() const { return element_ / 2 + (high_half_ && period_ % 2 == 1 ? 1 : 0); }

Level Pit8254Counter::output() const {
  bool high = true;
  switch (mode()) {
    case 0:
      high = expired_;
      break;
    case 1:
      high = !loaded_ || expired_;
      break;
    case 2:
      // Low for the pulse at which the count is 1. unverified: the illegal count 1 leaves it high.
      high = !loaded_ || load_at_ || gate_ == Level::Low || element_ != 1 || period_ == 1;
      break;
    case 3:
      high = high_half_;
      break;
    default:
      high = !loaded_ || !expired_ || reached_ != expired_at_;
      break;
  }
  return high ? Level::High : Level::Low;
}

std::optional<u64> Pit8254Counter::next_change() const {
  if (load_at_) return load_at_;
  if (!loaded_) return std::nullopt;
  const bool stays_at_one = period_ == 1 && initial_count() == 1;
  switch (mode()) {
    case 2:
      if (!counts() || stays_at_one) return std::nullopt;
      return element_ == 1 ? reached_ + 1 : reached_ + element_ - 1;
    case 3:
      if (!counts() || stays_at_one) return std::nullopt;
      return reached_ + rest_of_half();
    case 4:
    case 5:
      if (expired_ && reached_ == expired_at_) return reached_ + 1;
      break;
    default:
      break;
  }
  if (expired_ || !counts()) return std::nullopt;
  return reached_ + element_;
}

Pit8254Counter Pit8254Counter::at(u64 pulse) const {
  Pit8254Counter later = *this;
  later.advance(pulse);
  return later;
}

// Status byte of the read-back command: OUT, NULL COUNT, and the control word's lower six bits.
u8 Pit8254Counter::status() const {
  return static_cast<u8>((output() == Level::High ? mask_of<u8>(7) : 0) | (null_count_ ? mask_of<u8>(6) : 0) |
                         control_);
}

// Counting.

void Pit8254Counter::advance(u64 pulse) {
  if (load_at_ && pulse >= *load_at_) {
    count_to(*load_at_ - 1);
    reached_ = *load_at_;
    load();
  }
  count_to(pulse);
}

void Pit8254Counter::load() {
  load_at_.reset();
  loaded_ = true;
  null_count_ = false;
  expired_ = false;
  high_half_ = true;
  period_ = initial_count();
  element_ = mode() == 3 ? period_ & ~1u : period_;
}

void Pit8254Counter::count_to(u64 pulse) {
  if (pulse <= reached_) return;
  const u64 pulses = pulse - reached_;
  if (loaded_ && counts()) {
    if (mode() == 2) {
      count_periods(pulses);
    } else if (mode() == 3) {
      count_square_wave(pulses);
    } else {
      count_down(pulses);
    }
  }
  reached_ = pulse;
}

// Modes 0, 1, 4 and 5: through 0 to the highest count, and on.
void Pit8254Counter::count_down(u64 pulses) {
  if (pulses < element_) {
    element_ -= static_cast<u32>(pulses);
    return;
  }
  if (!expired_) {
    expired_ = true;
    expired_at_ = reached_ + element_;
  }
  const u32 below_zero = static_cast<u32>((pulses - element_) % modulus());
  element_ = (modulus() - below_zero) % modulus();
}

// Mode 2: from 1 to the count register's count.
void Pit8254Counter::count_periods(u64 pulses) {
  if (pulses < element_) {
    element_ -= static_cast<u32>(pulses);
    return;
  }
  const u64 later = pulses - element_;
  period_ = initial_count();
  null_count_ = false;
  element_ = period_ - static_cast<u32>(later % period_);
}

void Pit8254Counter::reload_half() {
  high_half_ = !high_half_;
  period_ = initial_count();
  null_count_ = false;
  element_ = period_ & ~1u;
}

// Mode 3: by twos, each half from the count register's count.
void Pit8254Counter::count_square_wave(u64 pulses) {
  while (pulses >= rest_of_half()) {
    pulses -= rest_of_half();
    reload_half();
    if (high_half_) pulses %= period_;
  }
  element_ -= static_cast<u32>(2 * pulses);
}

// Programming.

void Pit8254Counter::write_control(u8 control, u64 pulse) {
  advance(pulse);
  Pit8254Counter fresh(gate_);
  fresh.control_ = bits(control, 5, 0);
  fresh.element_ = element_;  // keeps what it had until a count comes
  fresh.reached_ = reached_;
  *this = fresh;
}

void Pit8254Counter::write(u8 byte, u64 pulse) {
  advance(pulse);
  if (access() == low_byte_only) {
    register_ = byte;
    count_written(pulse);
  } else if (access() == high_byte_only) {
    register_ = static_cast<u16>(byte << 8);
    count_written(pulse);
  } else if (next_written_ == ByteSelect::Low) {
    written_low_ = byte;
    next_written_ = ByteSelect::High;
    // Mode 0: "Writing the first byte disables counting. OUT is set low immediately."
    if (mode() == 0) {
      halted_ = true;
      expired_ = false;
    }
  } else {
    next_written_ = ByteSelect::Low;
    register_ = static_cast<u16>(byte << 8 | written_low_);
    count_written(pulse);
  }
}

void Pit8254Counter::count_written(u64 pulse) {
  has_count_ = true;
  null_count_ = true;
  switch (mode()) {
    case 0:
      halted_ = false;
      expired_ = false;
      load_at_ = pulse + 1;
      break;
    case 4:
      load_at_ = pulse + 1;
      break;
    case 2:
    case 3:
      if (!loaded_ && !load_at_) load_at_ = pulse + 1;  // a later count waits for the end of the period or half
      break;
    default:
      break;  // modes 1 and 5 wait for the gate
  }
}

void Pit8254Counter::set_gate(Level level, u64 pulse) {
  advance(pulse);
  if (level == gate_) return;
  gate_ = level;
  if (level == Level::Low) {
    if (mode() == 3) high_half_ = true;  // "OUT is set high immediately"
  } else if (mode() != 0 && mode() != 4 && has_count_) {
    load_at_ = pulse + 1;  // a trigger
  }
}

// A latch that has not been read stays. "Read-Back Command".
void Pit8254Counter::latch_count(u64 pulse) {
  if (count_latched_) return;
  count_latched_ = true;
  latched_count_ = at(pulse).count();
}

void Pit8254Counter::latch_status(u64 pulse) {
  if (status_latched_) return;
  status_latched_ = true;
  latched_status_ = at(pulse).status();
}

u8 Pit8254Counter::peek(u64 pulse) const {
  if (status_latched_) return latched_status_;
  const u16 value = count_latched_ ? latched_count_ : at(pulse).count();
  const bool high = access() == high_byte_only || (access() != low_byte_only && next_read_ == ByteSelect::High);
  return static_cast<u8>(high ? value >> 8 : value);
}

u8 Pit8254Counter::read(u64 pulse) {
  const u8 value = peek(pulse);
  if (status_latched_) {
    status_latched_ = false;
  } else if (access() == low_byte_only || access() == high_byte_only) {
    count_latched_ = false;
  } else if (next_read_ == ByteSelect::Low) {
    next_read_ = ByteSelect::High;
  } else {
    next_read_ = ByteSelect::Low;
    count_latched_ = false;
  }
  return value;
}

void Pit8254Counter::exchange(Archive& archive) {
  archive(control_, gate_, register_, written_low_, next_written_, has_count_, null_count_, halted_);
  archive(next_read_, count_latched_, status_latched_, latched_count_, latched_status_);
  bool will_load = load_at_.has_value();
  u64 load_at = load_at_.value_or(0);
  archive(reached_, will_load, load_at, loaded_, element_, period_, expired_, expired_at_, high_half_);
  if (!archive.loading()) return;
  load_at_ = will_load ? std::optional(load_at) : std::nullopt;
  constexpr u64 centuries = u64{1} << 53;  // far below where a pulse's tick would overflow
  const bool registers_are_plausible =
      control_ < 0x40 && gate_ <= Level::High && next_written_ <= ByteSelect::High && next_read_ <= ByteSelect::High;
  const bool element_is_plausible = element_ <= 0x10000 && period_ >= 1 && period_ <= 0x10000 &&
                                    (!loaded_ || mode() != 2 || element_ >= 1) &&
                                    (!loaded_ || mode() != 3 || element_ <= period_);
  const bool pulses_are_plausible = reached_ < centuries && (!will_load || load_at == reached_ + 1);
  if (!registers_are_plausible || !element_is_plausible || !pulses_are_plausible) {
    archive.refuse(Archive::Error::BadValue);
  }
}

}  // namespace vitrine
