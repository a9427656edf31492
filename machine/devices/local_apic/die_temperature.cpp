#include "machine/devices/local_apic/die_temperature.hpp"

#include <algorithm>

namespace vitrine {

namespace {
constexpr i64 steps_per_time_constant = 128;
constexpr u64 steps_until_settled = 32 * steps_per_time_constant;  // e^-32 of a hundred degrees is nothing
}  // namespace

void DieTemperature::advance(Tick now, u64 retired) {
  const u64 steps = now > sampled_ ? (now.value - sampled_.value) / step_ns : 0;
  if (steps == 0) return;
  const u64 elapsed = now.value - sampled_.value;
  const u64 busy = retired > retired_ ? std::min(retired - retired_, elapsed) : 0;
  const auto target = static_cast<i64>(u128{cooling_.rise_at_full_load} * 1000 * busy / elapsed);
  auto rise = static_cast<i64>(rise_);
  for (u64 i = 0; i < std::min(steps, steps_until_settled); ++i) rise += (target - rise) / steps_per_time_constant;
  settled_ = rise == static_cast<i64>(rise_);
  rise_ = static_cast<u32>(rise);
  sampled_ += steps * step_ns;
  // What has been executed since sampled_ belongs to the next steps, as the time does.
  const u64 remainder = elapsed - steps * step_ns;
  retired_ = retired - static_cast<u64>(u128{busy} * remainder / elapsed);
}

}  // namespace vitrine
