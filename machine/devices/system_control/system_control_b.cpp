#include "machine/devices/system_control/system_control_b.hpp"

#include "base/bits.hpp"

namespace vitrine {

namespace {
constexpr u8 writable = 0b0000'1111;
constexpr unsigned gate_bit = 0;
constexpr unsigned speaker_bit = 1;
constexpr unsigned refresh_bit = 4;
constexpr unsigned output_bit = 5;

constexpr ClockRatio refresh_clock{1'193'182};
constexpr u64 clocks_per_refresh = 18;
}  // namespace

void SystemControlB::reset() {
  state_ = State{};
  update();
}

u64 SystemControlB::peek(Region, u64 offset, AccessSize size) const {
  if (offset != 0) return ~u64{0} >> (64 - 8 * size.value);
  u8 value = state_.control;
  value = with_bit(value, refresh_bit, refresh_clock.counts_at(context_.clock.now()) / clocks_per_refresh % 2 == 1);
  value = with_bit(value, output_bit, channel_.output() == Level::High);
  return value;
}

void SystemControlB::write(Region, u64 offset, AccessSize, u64 value) {
  if (offset != 0) return;
  state_.control = static_cast<u8>(value) & writable;
  update();
}

Level SystemControlB::speaker() const {
  return bit(state_.control, speaker_bit) && channel_.output() == Level::High ? Level::High : Level::Low;
}

void SystemControlB::update() { channel_.set_gate(bit(state_.control, gate_bit) ? Level::High : Level::Low); }

void SystemControlB::exchange(Archive& archive) {
  archive.section("system_control_b", 1);
  archive(state_.control);
  if (archive.loading() && (state_.control & ~writable) != 0) archive.refuse(Archive::Error::BadValue);
}

}  // namespace vitrine
