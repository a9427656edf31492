// The timer (§10.5.4): one-shot, periodic, TSC-deadline. Time is computed when asked; an event stands for the next
// expiry that means something.
#include <algorithm>
#include <utility>

#include "base/bits.hpp"
#include "machine/devices/local_apic/local_apic.hpp"
#include "machine/devices/local_apic/registers.hpp"

namespace vitrine {

using namespace apic;

namespace {

/// While a request waits, shorter periods than this have no event of their own: they could only merge with it. So it is
/// while the error of an illegal vector stands in ESR.
constexpr u64 shortest_told_period = 1000;

constexpr Tick after(Tick start, u64 nanoseconds) {
  return nanoseconds < never.value - start.value ? start + nanoseconds : never;
}

}  // namespace

LocalApic::TimerMode LocalApic::timer_mode() const {
  return static_cast<TimerMode>(bits(local_vector(ApicPin::Timer), 18, 17));
}

// Figure 10-10: bits 3, 1 and 0; 111 divides by 1.
u64 LocalApic::divider() const {
  const u32 code = (state_.timer.divide & 3) | (state_.timer.divide >> 1 & 4);
  return code == 7 ? 1 : u64{2} << code;
}

u32 LocalApic::current_count() const {
  const TimerMode mode = timer_mode();
  const Tick expires = state_.timer.expires;
  if (expires == never || mode == TimerMode::Deadline) return 0;
  u64 left = 0;
  if (expires > now()) {
    left = expires.value - now().value;
  } else if (mode == TimerMode::Periodic && period() != 0) {  // it rests: its periods go on unseen
    left = period() - (now().value - expires.value) % period();
  }
  return static_cast<u32>((left + divider() - 1) / divider());
}

/// A resting timer's next expiry is brought to the future.
void LocalApic::follow_periods() {
  Timer& timer = state_.timer;
  if (timer.expires > now() || timer_mode() != TimerMode::Periodic || period() == 0) return;
  timer.expires = after(now(), period() - (now().value - timer.expires.value) % period());
}

/// Switched off by IA32_APIC_BASE.
void LocalApic::stop_timer() {
  state_.timer.expires = never;
  state_.timer.deadline = 0;
  state_.timer.resting = false;
  schedule_timer();
}

void LocalApic::schedule_timer() {
  Timer& timer = state_.timer;
  if (timer.resting) follow_periods();
  timer.resting = false;
  if (timer.expires == never) return context_.events.cancel(context_.id, timer_expires);
  context_.events.reschedule(timer.expires, context_.id, timer_expires);
}

void LocalApic::timer_due() {
  Timer& timer = state_.timer;
  if (timer.expires == never || timer.expires > now()) return;
  if (timer_mode() == TimerMode::Periodic && period() != 0) {
    follow_periods();
  } else {
    timer.expires = never;
    timer.deadline = 0;
  }
  if (timer_mode() == TimerMode::Reserved) return;  // unverified: it counts and interrupts nobody
  const bool is_masked = masked(ApicPin::Timer);
  const auto vector = static_cast<u8>(local_vector(ApicPin::Timer));
  const bool merges =
      !is_masked && (state_.requests.has(vector) || (vector < first_legal_vector && state_.errors != 0));
  if (!is_masked || !std::exchange(timer.told, true)) raise(ApicPin::Timer);
  if (timer.expires == never) return;
  timer.resting = is_masked || (merges && period() < shortest_told_period);
  if (!timer.resting) context_.events.schedule(timer.expires, context_.id, timer_expires);
}

void LocalApic::write_initial_count(u32 value) {
  if (timer_mode() == TimerMode::Deadline) return;  // §10.5.4.1
  Timer& timer = state_.timer;
  programmed(ControllerRegister::TimerInitialCount, std::exchange(timer.initial_count, value), value);
  timer.expires = value == 0 ? never : after(now(), period());
  timer.resting = false;
  timer.told = false;
  schedule_timer();
}

// A count under way goes on from where it is. unverified: what has gone by of a tick counts for the new divisor.
void LocalApic::write_divide(u32 value) {
  Timer& timer = state_.timer;
  value &= divide_writable;
  if (timer.divide == value) return;
  if (timer.resting) follow_periods();
  const u32 count = current_count();
  const u64 gone = count == 0 ? 0 : count * divider() - (timer.expires.value - now().value);
  programmed(ControllerRegister::TimerDivide, std::exchange(timer.divide, value), value);
  if (timer_mode() == TimerMode::Deadline || timer.expires == never) return;
  timer.expires = after(now(), count == 0 ? 0 : count * divider() - std::min(gone, divider()));
  schedule_timer();
}

// §10.5.4.1: in the other modes the MSR reads 0 and writes do nothing.
void LocalApic::write_deadline(u64 value) {
  if (timer_mode() != TimerMode::Deadline || !globally_enabled()) return;
  programmed(ControllerRegister::TimerInitialCount, std::exchange(state_.timer.deadline, value), value);
  state_.timer.told = false;
  arm_deadline();
}

void LocalApic::arm_deadline() {
  Timer& timer = state_.timer;
  const u64 time_stamp = now().value + state_.tsc_offset;
  if (timer.deadline == 0) {
    timer.expires = never;
  } else {
    timer.expires = timer.deadline > time_stamp ? after(now(), timer.deadline - time_stamp) : now();
  }
  if (timer.expires == now()) {
    context_.events.cancel(context_.id, timer_expires);
    return timer_due();
  }
  schedule_timer();
}

void LocalApic::tsc_offset_changed(u64 offset) {
  state_.tsc_offset = offset;
  if (timer_mode() == TimerMode::Deadline && state_.timer.deadline != 0) arm_deadline();
}

}  // namespace vitrine
