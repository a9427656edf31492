#include "machine/devices/pit8254/pit8254.hpp"

#include <utility>

#include "base/bits.hpp"

namespace vitrine {

namespace {
constexpr u64 control_offset = 3;
// Control word: SC1-SC0, RW1-RW0, M2-M0, BCD.
constexpr u8 select_read_back = 3;  // SC
constexpr u8 access_latch = 0;      // RW: counter latch command
// Read-back command: both are active low.
constexpr unsigned keep_count = 5;
constexpr unsigned keep_status = 4;
constexpr unsigned first_counter = 1;

/// A guest that has written a control word writes the count at once; ns.
constexpr u64 patience = 1'000'000;
}  // namespace

Pit8254::Pit8254(DeviceContext context, LineDriver out0)
    : context_(context), out0_(out0), records_(context, out0), pins_{Pins(*this, 0), Pins(*this, 1), Pins(*this, 2)} {
  reset();
}

// The chip has no RESET pin: this is power-on, where the data sheet leaves all undefined.
// unverified: as mode 0 without a count, OUT low. Gate 2 is low with it, for port 0x61 is reset too.
void Pit8254::reset() {
  state_ = State{};
  for (Pit8254Counter& counter : state_.counters) counter.advance(pulse());
  expect_programming();
  update(Cause::Programmed);
}

Level Pit8254::output(u8 index) const {
  Pit8254Counter counter = state_.counters[index];
  counter.advance(pulse());
  return counter.output();
}

void Pit8254::set_gate(u8 index, Level level) {
  catch_up();
  state_.counters[index].set_gate(level, pulse());
  update(Cause::Counted);
}

u8 Pit8254::read_byte(u64 offset) { return offset < counters ? state_.counters[offset].read(pulse()) : 0xFF; }

void Pit8254::write_byte(u64 offset, u8 value) {
  if (offset > control_offset) return;
  catch_up();
  if (offset < counters) {
    state_.counters[offset].write(value, pulse());
    if (offset == 0) note_count();
  } else if (bits(value, 7, 6) == select_read_back) {
    read_back(value);
  } else if (bits(value, 5, 4) == access_latch) {
    state_.counters[bits(value, 7, 6)].latch_count(pulse());
  } else {
    state_.counters[bits(value, 7, 6)].write_control(value, pulse());
    if (bits(value, 7, 6) == 0) note_control(value);
  }
  update(Cause::Programmed);
}

void Pit8254::note_control(u8 value) {
  state_.control_written = records_.here();
  records_.programmed(DeviceRegister::PitMode, std::exchange(state_.control_word, value), value,
                      state_.control_written.by);
  expect_programming();
}

void Pit8254::note_count() {
  const u32 count = state_.counters[0].programmed_count();
  if (count == 0) return;
  context_.events.cancel(context_.id, still_not_programmed);
  records_.not_withheld(state_.told, 0);
  records_.programmed(DeviceRegister::PitCount, std::exchange(state_.count, count), count, records_.here().by);
}

void Pit8254::expect_programming() {
  context_.events.reschedule(context_.clock.now() + patience, context_.id, still_not_programmed);
}

void Pit8254::read_back(u8 command) {
  for (u8 index = 0; index < counters; ++index) {
    if (!bit(command, first_counter + index)) continue;
    if (!bit(command, keep_count)) state_.counters[index].latch_count(pulse());
    if (!bit(command, keep_status)) state_.counters[index].latch_status(pulse());
  }
}

u64 Pit8254::read(Region, u64 offset, AccessSize size) {
  u64 value = 0;
  for (u8 i = 0; i < size.value; ++i) value |= u64{read_byte(offset + i)} << (8 * i);
  return value;
}

u64 Pit8254::peek(Region, u64 offset, AccessSize size) const {
  u64 value = 0;
  for (u8 i = 0; i < size.value; ++i) {
    const u64 at = offset + i;
    value |= u64{at < counters ? state_.counters[at].peek(pulse()) : u8{0xFF}} << (8 * i);
  }
  return value;
}

void Pit8254::write(Region, u64 offset, AccessSize size, u64 value) {
  for (u8 i = 0; i < size.value; ++i) write_byte(offset + i, static_cast<u8>(value >> (8 * i)));
}

void Pit8254::event(u16 kind, u64) {
  if (kind == still_not_programmed) {
    return records_.withheld(state_.told, {WithheldCause::NotProgrammed, state_.control_written}, 0);
  }
  catch_up();
  update(Cause::Counted);
}

// Counter 0 goes through each change of OUT up to now, in order: none is lost if its event comes late.
void Pit8254::catch_up() {
  Pit8254Counter& counter = state_.counters[0];
  const u64 now = pulse();
  for (auto next = counter.next_change(); next && *next <= now; next = counter.next_change()) {
    counter.advance(*next);
    drive(Cause::Counted);
  }
  for (Pit8254Counter& each : state_.counters) each.advance(now);
}

void Pit8254::drive(Cause cause) {
  const Level level = state_.counters[0].output();
  if (level == Level::Low && cause == Cause::Counted) {
    out0_.end_pulse();
  } else {
    out0_.set(level, static_cast<u8>(cause));
  }
}

void Pit8254::update(Cause cause) {
  drive(cause);
  const std::optional<u64> next = state_.counters[0].next_change();
  if (next) {
    context_.events.reschedule(clk.tick_of(*next), context_.id, out0_changes);
  } else {
    context_.events.cancel(context_.id, out0_changes);
  }
}

void Pit8254::exchange(Archive& archive) {
  archive.section("pit8254", 2);
  State loaded = state_;
  archive(loaded);
  // An event comes at each change of OUT: none of ours is seconds late, and catch_up() would go through them all.
  constexpr u64 most_late = u64{1} << 22;
  const std::optional<u64> next = loaded.counters[0].next_change();
  if (archive.loading() && next && *next + most_late < pulse()) archive.refuse(Archive::Error::BadValue);
  if (archive.loading() && archive.ok()) state_ = loaded;
}

}  // namespace vitrine
