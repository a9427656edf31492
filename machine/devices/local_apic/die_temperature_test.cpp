// How warm a core gets by the model of die_temperature.hpp.
#include "machine/devices/local_apic/die_temperature.hpp"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

constexpr u64 step = DieTemperature::step_ns;
constexpr u64 long_enough = 32 * 128;  // steps

// Samples come when a core is woken: anywhere between two steps, and then each step later.
TEST(DieTemperature, a_core_is_equally_warm_wherever_its_samples_fall) {
  for (const u64 phase : {u64{0}, u64{1}, step / 2, step - 1}) {
    DieTemperature core({.ambient = 40'000, .rise_at_full_load = 60'000});
    u64 now = phase;
    for (u64 i = 0; i < long_enough; ++i, now += step) core.advance(Tick(now), now);
    EXPECT_NEAR(core.millidegrees(), 100'000, 1) << "phase " << phase;
  }
}

TEST(DieTemperature, half_the_load_is_half_the_rise_wherever_its_samples_fall) {
  for (const u64 phase : {u64{0}, step / 3, step - 1}) {
    DieTemperature core({.ambient = 40'000, .rise_at_full_load = 60'000});
    u64 now = phase;
    for (u64 i = 0; i < long_enough; ++i, now += step) core.advance(Tick(now), now / 2);
    EXPECT_NEAR(core.millidegrees(), 70'000, 1) << "phase " << phase;
  }
}

}  // namespace
}  // namespace vitrine
