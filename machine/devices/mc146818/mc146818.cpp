#include "machine/devices/mc146818/mc146818.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/bits.hpp"

namespace vitrine {

namespace {

// DS table 2 and "Registers".
enum Index : u8 {
  seconds = 0x00,
  seconds_alarm = 0x01,
  minutes = 0x02,
  minutes_alarm = 0x03,
  hours = 0x04,
  hours_alarm = 0x05,
  day_of_week = 0x06,
  day_of_month = 0x07,
  month = 0x08,
  year = 0x09,
  register_a = 0x0A,
  register_b = 0x0B,
  register_c = 0x0C,
  register_d = 0x0D,
  century = 0x32
};
constexpr u8 a_update_in_progress = 0x80;
constexpr u8 b_set = 0x80, b_periodic = 0x40, b_alarm = 0x20, b_update_ended = 0x10, b_square_wave = 0x08,
             b_binary = 0x04, b_24_hours = 0x02;
constexpr u8 c_request = 0x80, c_periodic = 0x40, c_alarm = 0x20, c_update_ended = 0x10;
constexpr u8 d_valid_ram_and_time = 0x80;
constexpr u8 alarm_dont_care = 0xC0;

// The divider chain (DS "Divider stages", "Update cycle", table 6 for 32768 Hz).
constexpr ClockRatio crystal{32768};
constexpr u64 second = 32768;
constexpr u64 update_begins = 8;                 // tBUC, 244 us after UIP
constexpr u64 update_ends = update_begins + 65;  // tUC, 1984 us
constexpr u64 half_second_to_update = update_begins + second / 2;
constexpr i64 earliest_phase = -(i64{1} << 50);  // crystal clocks in 2^64 ns are fewer

enum EventKind : u16 { event_periodic_edge, event_update_end };

bool divider_runs(u8 control_a) { return bits(control_a, 6, 4) == 0b010; }

/// Crystal clocks between two periodic interrupts; 0: none (DS table 5).
u64 periodic_step(u8 control_a) {
  const unsigned rate = control_a & 0x0F;
  if (rate == 0) return 0;
  return rate <= 2 ? u64{64} << rate : u64{1} << (rate - 1);
}

u64 updates_until(u64 chain) { return (chain - update_ends) / second; }

/// The chain's tap rises half a period after it fell together with all slower ones (DS figure 16).
u64 periodic_edges_until(u64 chain, u64 step) { return (chain + step / 2) / step; }

// Time of day, in the registers' own format.

using Memory = std::array<u8, 128>;

struct Format {
  bool binary;
  bool hours_24;
  [[nodiscard]] unsigned decode(u8 value) const { return binary ? value : (value >> 4) * 10u + (value & 0x0F); }
  [[nodiscard]] u8 encode(unsigned value) const {
    return static_cast<u8>(binary ? value : value / 10 % 10 << 4 | value % 10);
  }
  [[nodiscard]] unsigned decode_hours(u8 value) const {
    if (hours_24) return decode(value);
    return decode(value & 0x7F) % 12 + (bit(value, 7) ? 12 : 0);
  }
  [[nodiscard]] u8 encode_hours(unsigned value) const {
    if (hours_24) return encode(value);
    return static_cast<u8>(encode(value % 12 == 0 ? 12 : value % 12) | (value >= 12 ? 0x80 : 0));
  }
};

Format format_of(u8 control_b) { return {(control_b & b_binary) != 0, (control_b & b_24_hours) != 0}; }

/// Counts one register up; true if it wrapped to `first`.
bool count_up(u8& reg, const Format& format, unsigned first, unsigned last) {
  const unsigned value = format.decode(reg);
  const bool wraps = value >= last;
  reg = format.encode(wraps ? first : value + 1);
  return wraps;
}

unsigned days_in(unsigned month_number, unsigned year_number) {
  static constexpr u8 days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month_number < 1 || month_number > 12) return 31;
  // The chip knows two digits of the year: every fourth is a leap year (DS "Time, calendar and alarm").
  if (month_number == 2 && year_number % 4 == 0) return 29;
  return days[month_number - 1];
}

void add_day(Memory& memory, const Format& format) {
  count_up(memory[day_of_week], format, 1, 7);
  const unsigned days = days_in(format.decode(memory[month]), format.decode(memory[year]));
  if (!count_up(memory[day_of_month], format, 1, days)) return;
  if (!count_up(memory[month], format, 1, 12)) return;
  if (!count_up(memory[year], format, 0, 99)) return;
  count_up(memory[century], format, 0, 99);
}

void add_second(Memory& memory, const Format& format) {
  if (!count_up(memory[seconds], format, 0, 59)) return;
  if (!count_up(memory[minutes], format, 0, 59)) return;
  const unsigned hour = format.decode_hours(memory[hours]);
  memory[hours] = format.encode_hours(hour >= 23 ? 0 : hour + 1);
  if (hour >= 23) add_day(memory, format);
}

bool alarm_matches(const Memory& memory) {
  const auto matches = [&](u8 alarm, u8 time) {
    return (memory[alarm] & alarm_dont_care) == alarm_dont_care || memory[alarm] == memory[time];
  };
  return matches(seconds_alarm, seconds) && matches(minutes_alarm, minutes) && matches(hours_alarm, hours);
}

/// `count` seconds pass; true if the alarm matched after one of them.
bool add_seconds(Memory& memory, const Format& format, u64 count) {
  constexpr u64 day = 86'400;
  bool matched = false;
  const auto step = [&](u64 steps) {
    for (; steps > 0; --steps) {
      add_second(memory, format);
      matched = matched || alarm_matches(memory);
    }
  };
  // After one day of single steps the time is in range and has passed every alarm: whole days may be skipped.
  if (count <= 2 * day) {
    step(count);
    return matched;
  }
  step(day);
  for (u64 days = (count - day) / day; days > 0; --days) add_day(memory, format);
  step((count - day) % day);
  return matched;
}

}  // namespace

Mc146818::Mc146818(DeviceContext context, LineDriver irq, LineDriver nmi_mask, const Contents& contents)
    : context_(context), irq_(irq), nmi_mask_(nmi_mask), records_(context, irq) {
  state_.phase = update_ends;  // update cycles end at full seconds of virtual time
  state_.updates_done = updates_until(chain());
  state_.periodic_done = chain();
  load_configuration(contents);
  load_time(contents.unix_seconds);
}

void Mc146818::load_time(u64 unix_seconds) {
  const Format format = format_of(state_.control_b);
  const u64 days = unix_seconds / 86'400, of_day = unix_seconds % 86'400;
  // Civil date from days since 1970-01-01, counted in years that begin in March of the year 0.
  const u64 shifted = days + 719'468;
  const u64 era = shifted / 146'097, day_of_era = shifted % 146'097;
  const u64 year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const u64 day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const u64 from_march = (5 * day_of_year + 2) / 153;
  const u64 month_number = from_march < 10 ? from_march + 3 : from_march - 9;
  const u64 year_number = era * 400 + year_of_era + (month_number <= 2 ? 1 : 0);

  const auto set = [&](u8 index, u64 value) { state_.memory[index] = format.encode(static_cast<unsigned>(value)); };
  set(seconds, of_day % 60);
  set(minutes, of_day / 60 % 60);
  state_.memory[hours] = format.encode_hours(static_cast<unsigned>(of_day / 3'600));
  set(day_of_week, (days + 4) % 7 + 1);  // 1 is Sunday; 1970-01-01 was a Thursday
  set(day_of_month, day_of_year - (153 * from_march + 2) / 5 + 1);
  set(month, month_number);
  set(year, year_number % 100);
  set(century, year_number / 100 % 100);
}

void Mc146818::load_configuration(const Contents& contents) {
  constexpr u64 kib = 1024, mib = 1024 * kib;
  const auto above = [&](u64 start) { return contents.memory_below_4g > start ? contents.memory_below_4g - start : 0; };
  const auto set = [&](unsigned index, u64 value, unsigned bytes) {
    value = std::min(value, (u64{1} << 8 * bytes) - 1);
    for (unsigned i = 0; i < bytes; ++i) state_.memory[index + i] = static_cast<u8>(value >> 8 * i);
  };
  set(0x10, contents.floppy_types, 1);
  set(0x14, contents.equipment, 1);
  set(0x15, std::min<u64>(contents.memory_below_4g / kib, 640), 2);  // KiB below 640 K
  set(0x17, above(mib) / kib, 2);                                    // KiB above 1 MiB, as set up
  set(0x30, above(mib) / kib, 2);                                    // the same, as found by POST
  set(0x34, above(16 * mib) / (64 * kib), 2);                        // 64 KiB blocks above 16 MiB
  set(0x5B, contents.memory_above_4g / (64 * kib), 3);               // 64 KiB blocks above 4 GiB
  u16 sum = 0;  // of 0x10 to 0x2D, high byte first (IBM PC/AT Technical Reference)
  for (unsigned index = 0x10; index <= 0x2D; ++index) sum = static_cast<u16>(sum + state_.memory[index]);
  state_.memory[0x2E] = static_cast<u8>(sum >> 8);
  state_.memory[0x2F] = static_cast<u8>(sum);
}

void Mc146818::State::exchange(Archive& archive) {
  archive(index, nmi_masked, control_a, control_b, flags, memory, phase, updates_done, periodic_done);
  archive(control_b_settings, flagged_since, not_enabled, not_read);
  if (index >= memory.size() || phase < earliest_phase || phase > i64{half_second_to_update}) {
    archive.refuse(Archive::Error::BadValue);
    index = 0;
    phase = 0;
  }
}

void Mc146818::exchange(Archive& archive) {
  archive.section("rtc", 2);
  archive(state_);
}

void Mc146818::reset() {
  catch_up(state_);
  set_control_b(state_.control_b & static_cast<u8>(~(b_periodic | b_alarm | b_update_ended | b_square_wave)),
                {0, context_.clock.now()});
  state_.flags = 0;
  state_.nmi_masked = false;
  state_.index = 0;
  update();
}

// Questions.

u64 Mc146818::chain() const {
  const i64 value = static_cast<i64>(crystal.counts_at(context_.clock.now())) + state_.phase;
  return static_cast<u64>(std::max(value, i64{update_ends}));
}

Tick Mc146818::tick_of_chain(u64 value) const {
  return crystal.tick_of(static_cast<u64>(static_cast<i64>(value) - state_.phase));
}

bool Mc146818::update_in_progress() const {
  return divider_runs(state_.control_a) && (state_.control_b & b_set) == 0 && chain() % second < update_ends;
}

bool Mc146818::interrupt_wanted() const {
  // Flags of register C and enables of register B have the same places.
  return (state_.flags & state_.control_b & (c_periodic | c_alarm | c_update_ended)) != 0;
}

void Mc146818::catch_up(State& state) const {
  if (!divider_runs(state.control_a)) return;
  const u64 now = chain();
  const u64 updates = updates_until(now);
  if (updates > state.updates_done && (state.control_b & b_set) == 0) {
    state.flags |= c_update_ended;
    if (add_seconds(state.memory, format_of(state.control_b), updates - state.updates_done)) state.flags |= c_alarm;
  }
  state.updates_done = updates;
  const u64 step = periodic_step(state.control_a);
  if (step != 0 && periodic_edges_until(now, step) > periodic_edges_until(state.periodic_done, step)) {
    state.flags |= c_periodic;
  }
  state.periodic_done = now;
}

u8 Mc146818::value_at(const State& state, u8 index) const {
  switch (index) {
    case register_a:
      return static_cast<u8>(state.control_a | (update_in_progress() ? a_update_in_progress : 0));
    case register_b:
      return state.control_b;
    case register_c:
      return static_cast<u8>(state.flags | ((state.flags & state.control_b) != 0 ? c_request : 0));
    case register_d:
      return d_valid_ram_and_time;
    default:
      return state.memory[index];
  }
}

u64 Mc146818::peek(Region, u64 offset, AccessSize size) const {
  State now = state_;
  catch_up(now);
  u64 value = 0;
  for (unsigned i = 0; i < size.value; ++i) {
    const u8 byte = offset + i == 1 ? value_at(now, now.index) : 0xFF;
    value |= u64{byte} << 8 * i;
  }
  return value;
}

// The guest's accesses. A wider one goes to ports one after the other, lowest first: OUT 0x70 with AX sets the address
// and writes.

u64 Mc146818::read(Region, u64 offset, AccessSize size) {
  u64 value = 0;
  for (unsigned i = 0; i < size.value; ++i) {
    const u8 byte = offset + i == 1 ? read_data() : 0xFF;
    value |= u64{byte} << 8 * i;
  }
  update();
  return value;
}

void Mc146818::write(Region, u64 offset, AccessSize size, u64 value) {
  for (unsigned i = 0; i < size.value; ++i) {
    const u8 byte = static_cast<u8>(value >> 8 * i);
    if (offset + i == 0) {
      state_.index = byte & 0x7F;
      state_.nmi_masked = bit(byte, 7);
    } else if (offset + i == 1) {
      write_data(byte);
    }
  }
  update();
}

u8 Mc146818::read_data() {
  catch_up(state_);
  const u8 value = value_at(state_, state_.index);
  if (state_.index == register_c) state_.flags = 0;
  return value;
}

void Mc146818::write_data(u8 value) {
  catch_up(state_);
  switch (state_.index) {
    case register_a:
      return write_control_a(value & 0x7F);
    case register_b:
      // SET going high clears UIE (DS register B).
      if ((value & b_set) != 0 && (state_.control_b & b_set) == 0) value &= static_cast<u8>(~b_update_ended);
      return set_control_b(value, records_.here());
    case register_c:
    case register_d:
      return;
    case seconds:
      state_.memory[seconds] = value & 0x7F;  // its high bit is read only (DS "Time, calendar and alarm")
      return;
    default:
      state_.memory[state_.index] = value;
      return;
  }
}

void Mc146818::set_control_b(u8 value, const Setting& setting) {
  records_.programmed(DeviceRegister::RtcB, state_.control_b, value, setting.by);
  state_.control_b_settings.note(state_.control_b, value, setting);
  state_.control_b = value;
}

void Mc146818::write_control_a(u8 value) {
  const bool starts = divider_runs(value) && !divider_runs(state_.control_a);
  records_.programmed(DeviceRegister::RtcA, state_.control_a, value, records_.here().by);
  state_.control_a = value;
  if (starts) {
    // The first update cycle begins half a second after the divider leaves reset (DS "Divider control").
    state_.phase = static_cast<i64>(half_second_to_update) - static_cast<i64>(crystal.counts_at(context_.clock.now()));
    state_.updates_done = updates_until(chain());
    state_.periodic_done = chain();
  }
}

void Mc146818::event(u16, u64) {
  State edges = state_;
  edges.flags = 0;
  catch_up(edges);
  const u8 unread = static_cast<u8>(state_.flags & state_.control_b);
  const u8 lost = static_cast<u8>(edges.flags & state_.control_b);
  if (unread != 0 && lost != 0) {
    records_.withheld(state_.not_read, {WithheldCause::FlagNotRead, {0, state_.flagged_since}},
                      std::to_underlying(cause_of(lost)));
  }
  update();
}

bool Mc146818::told_not_read() const {
  return state_.not_read == Withholding{WithheldCause::FlagNotRead, {0, state_.flagged_since}};
}

void Mc146818::schedule_edges() {
  context_.events.cancel(context_.id, event_periodic_edge);
  context_.events.cancel(context_.id, event_update_end);
  if (!divider_runs(state_.control_a)) return;
  // An edge that finds its flag set is awaited once, for the ledger: it is lost.
  const u8 seen = told_not_read() ? state_.flags : u8{0};
  const u8 awaited = static_cast<u8>(state_.control_b & ~seen);
  const u64 step = periodic_step(state_.control_a);
  if ((awaited & b_periodic) != 0 && step != 0) {
    const u64 next_edge = periodic_edges_until(chain(), step) * step + step / 2;
    context_.events.schedule(tick_of_chain(next_edge), context_.id, event_periodic_edge);
  }
  if ((awaited & (b_alarm | b_update_ended)) != 0 && (state_.control_b & b_set) == 0) {
    const u64 next_update = (updates_until(chain()) + 1) * second + update_ends;
    context_.events.schedule(tick_of_chain(next_update), context_.id, event_update_end);
  }
}

Mc146818::Cause Mc146818::cause_of(u8 flags) {
  if ((flags & c_periodic) != 0) return Cause::Periodic;
  if ((flags & c_alarm) != 0) return Cause::Alarm;
  return (flags & c_update_ended) != 0 ? Cause::UpdateEnded : Cause::None;
}

void Mc146818::report_not_enabled() {
  for (const u8 flag : {c_periodic, c_alarm, c_update_ended}) {
    if ((state_.flags & flag) == 0 || (state_.control_b & flag) != 0) continue;
    const u8 cause = std::to_underlying(cause_of(flag));
    const auto position = static_cast<unsigned>(std::countr_zero(flag));
    records_.withheld(state_.not_enabled[cause],
                      {WithheldCause::InterruptEnableOff, state_.control_b_settings.of(position)}, cause);
  }
}

void Mc146818::update() {
  catch_up(state_);  // an edge that is due at this very moment counts before the next is scheduled
  if (!interrupt_wanted()) {
    state_.flagged_since = Tick{};
    records_.not_withheld(state_.not_read, 0);
  } else if (state_.flagged_since == Tick{}) {
    state_.flagged_since = context_.clock.now();
  }
  schedule_edges();
  report_not_enabled();
  const Cause cause = cause_of(static_cast<u8>(state_.flags & state_.control_b));
  irq_.set(interrupt_wanted() ? Level::High : Level::Low, std::to_underlying(cause));
  nmi_mask_.set(state_.nmi_masked ? Level::High : Level::Low);
}

}  // namespace vitrine
