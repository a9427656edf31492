#include "kernel/core/tick.hpp"

#include <algorithm>

#include "kernel/core/kernel.hpp"
#include "kernel/core/log.hpp"
#include "kernel/core/scheduler.hpp"
#include "kernel/drivers/pit8254.hpp"

namespace pulse {

namespace {

constexpr u32 least_hz = 19, most_hz = 10'000;

volatile u64 tick_count = 0;
u64 tick_nanoseconds = 0;
u64 boot_wall = 0;

HandlerResult on_tick(InterruptHandler&, Frame&) {
  tick_count = tick_count + 1;
  scheduler_tick(nanoseconds_since_boot());
  return HandlerResult::Handled;
}

InterruptHandler tick_handler{.name = "timer", .function = on_tick};

}  // namespace

u64 ticks() { return tick_count; }

u64 nanoseconds_since_boot() { return tick_count * tick_nanoseconds; }

u64 boot_wall_nanoseconds() { return boot_wall; }
void set_boot_wall_seconds(u64 seconds_since_1970) { boot_wall = seconds_since_1970 * 1'000'000'000; }
u64 wall_seconds() { return (boot_wall + nanoseconds_since_boot()) / 1'000'000'000; }

void start_tick(u32 hz) {
  hz = std::clamp(hz, least_hz, most_hz);
  tick_nanoseconds = start_pit(hz);
  kernel().interrupts.add(0, tick_handler);
  log_info("timer: {} ticks a second", hz);
}

}  // namespace pulse
