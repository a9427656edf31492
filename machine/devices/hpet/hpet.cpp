#include "machine/devices/hpet/hpet.hpp"

#include <utility>

#include "base/bits.hpp"

namespace vitrine {

namespace {
// HPET 2.3.4: revision, three timers, 64-bit counter, legacy replacement, vendor.
constexpr u64 revision = 0x01, last_timer = (Hpet::timers - 1) << 8, wide_counter = 1 << 13, legacy_capable = 1 << 15,
              vendor = u64{0x8086} << 16;
constexpr u64 general_writable = Hpet::enable_bit | Hpet::legacy_bit;
constexpr u64 status_bits = (1 << Hpet::timers) - 1;
constexpr unsigned route_high = 13, route_low = 9;
constexpr u64 route_mask = u64{0x1F} << route_low;
constexpr u64 timer_writable = Hpet::level_bit | Hpet::interrupt_enable_bit | Hpet::periodic_bit |
                               Hpet::set_accumulator_bit | route_mask | Hpet::narrow_bit | Hpet::fsb_enable_bit;
constexpr u64 low_half = 0xFFFF'FFFF;
// No event is further away than this: the sum of virtual times must not wrap.
constexpr u64 furthest = (u64{1} << 62) / Hpet::period_ns;
constexpr u8 message_pin = static_cast<u8>(ApicPin::Message);

bool is_periodic(u64 configuration) { return (configuration & Hpet::periodic_bit) != 0; }
bool is_level(u64 configuration) { return (configuration & Hpet::level_bit) != 0; }
bool is_enabled(u64 configuration) { return (configuration & Hpet::interrupt_enable_bit) != 0; }
u64 width_mask(u64 configuration) { return (configuration & Hpet::narrow_bit) != 0 ? low_half : ~u64{0}; }
/// Raised::detail.
u8 cause_of(u8 timer) { return static_cast<u8>(timer + 1); }
}  // namespace

Hpet::Hpet(DeviceContext context, const Wiring& wiring) : context_(context), wiring_(wiring) {}

void Hpet::accessed(u64 where) {
  wiring_.irq0.attended(where);
  wiring_.irq8.attended(where);
  for (const LineDriver& line : wiring_.routes) line.attended(where);
}

void Hpet::reset() {
  for (u8 timer = 0; timer < timers; ++timer) context_.events.cancel(context_.id, timer);
  State fresh;
  for (u8 which = 0; which < 2; ++which) {
    fresh.passing[which].high = state_.passing[which].high;
    fresh.passing[which].request = state_.passing[which].request;
  }
  state_ = fresh;
  update();
}

// Questions.

u64 Hpet::counter() const {
  if (!counts()) return state_.counter;
  return state_.counter + (context_.clock.now().value - state_.started.value) / period_ns;
}

bool Hpet::sends_messages(u8 timer) const {
  return !is_on_legacy_line(timer) && (state_.timers[timer].configuration & fsb_enable_bit) != 0;
}

MessageModes Hpet::message_modes() const {
  MessageModes modes;
  for (u8 number = 0; number < timers; ++number) {
    const Timer& timer = state_.timers[number];
    if (!counts() || !is_enabled(timer.configuration) || !sends_messages(number)) continue;
    modes.add(mode_of_msi(timer.fsb_route >> 32, static_cast<u32>(timer.fsb_route)));
  }
  return modes;
}

u8 Hpet::route(u8 timer) const {
  return static_cast<u8>(bits(state_.timers[timer].configuration, route_high, route_low));
}

const LineDriver& Hpet::line_of(u8 timer) const {
  if (is_on_legacy_line(timer)) return timer == 0 ? wiring_.irq0 : wiring_.irq8;
  return wiring_.routes[route(timer)];
}

u32 Hpet::route_capabilities() const {
  u32 mask = 0;
  for (u8 line = 0; line < most_routes; ++line) mask = with_bit(mask, line, wiring_.routes[line].connected());
  return mask;
}

// HPET 2.3.5: while the counter is halted no timer interrupts.
bool Hpet::wants_line(u8 number) const {
  const Timer& timer = state_.timers[number];
  if (!counts() || !is_enabled(timer.configuration) || sends_messages(number)) return false;
  return is_level(timer.configuration) ? bit(state_.status, number) : timer.edge_high;
}

// Registers.

u64 Hpet::register_at(u64 offset) const {
  switch (offset) {
    case capabilities:
      return revision | last_timer | wide_counter | legacy_capable | vendor | period_femtoseconds << 32;
    case configuration:
      return state_.configuration;
    case interrupt_status:
      return state_.status;
    case main_counter:
      return counter();
    default:
      break;
  }
  if (offset < first_timer || offset >= first_timer + u64{timers} * timer_stride) return 0;
  const Timer& timer = state_.timers[(offset - first_timer) / timer_stride];
  switch ((offset - first_timer) % timer_stride) {
    case 0:
      return timer.configuration | periodic_capable_bit | wide_capable_bit |
             (wiring_.messages != nullptr ? fsb_capable_bit : 0) | u64{route_capabilities()} << 32;
    case timer_comparator:
      return comparator_now(timer) & width_mask(timer.configuration);
    case timer_fsb_route:
      return timer.fsb_route;
    default:
      return 0;
  }
}

u64 Hpet::peek(Region, u64 offset, AccessSize size) const {
  u64 value = 0;
  for (u64 i = 0; i < size.value; ++i) {
    const u64 at = offset + i;
    value |= (register_at(at & ~u64{7}) >> 8 * (at & 7) & 0xFF) << 8 * i;
  }
  return value;
}

void Hpet::write(Region, u64 offset, AccessSize size, u64 value) {
  if (size.value < 4 || offset % size.value != 0 || offset >= window_bytes) return;
  const u64 written = size.value == 8 ? ~u64{0} : low_half << 8 * (offset & 7);
  const u64 placed = size.value == 8 ? value : (value & low_half) << 8 * (offset & 7);
  write_register(offset & ~u64{7}, placed, written);
  update();
}

void Hpet::write_register(u64 offset, u64 value, u64 written) {
  const auto merged = [&](u64 old) { return (old & ~written) | (value & written); };
  switch (offset) {
    case configuration:
      return configure(merged(state_.configuration));
    case interrupt_status:
      state_.status &= ~(value & written);
      return schedule_all();
    case main_counter:
      // HPET 2.3.7: only while it is halted. unverified: what a write does while it counts; here nothing.
      if (!counts()) state_.counter = merged(state_.counter);
      return schedule_all();
    default:
      break;
  }
  if (offset < first_timer || offset >= first_timer + u64{timers} * timer_stride) return;
  const auto number = static_cast<u8>((offset - first_timer) / timer_stride);
  Timer& timer = state_.timers[number];
  switch ((offset - first_timer) % timer_stride) {
    case 0:
      return configure_timer(number, merged(timer.configuration));
    case timer_comparator:
      return set_comparator(number, value, written);
    case timer_fsb_route: {
      const u64 old = std::exchange(timer.fsb_route, merged(timer.fsb_route));
      if (old == timer.fsb_route) return;
      context_.ledger.append({.address = context_.ledger.context.address,
                              .other = timer.fsb_route & low_half,
                              .extra = timer.fsb_route >> 32,
                              .kind = RecordKind::ControllerProgrammed,
                              .pin = number,
                              .detail = static_cast<u8>(ControllerRegister::MessageEntry),
                              .source = context_.source.value});
      return;
    }
    default:
      return;
  }
}

void Hpet::programmed(ControllerRegister which, u8 pin, u64 old, u64 now) {
  if (old == now) return;
  context_.ledger.append({.address = context_.ledger.context.address,
                          .other = old,
                          .extra = now,
                          .kind = RecordKind::ControllerProgrammed,
                          .pin = pin,
                          .detail = static_cast<u8>(which),
                          .source = context_.source.value});
}

void Hpet::configure(u64 value) {
  for (u8 number = 0; number < timers; ++number) follow(number);
  const u64 now_counting = counter();
  const u64 old = std::exchange(state_.configuration, value & general_writable);
  programmed(ControllerRegister::HpetControl, 0, old, state_.configuration);
  const u64 changed = old ^ state_.configuration;
  if ((changed & enable_bit) != 0) {
    state_.counter = now_counting;
    state_.started = context_.clock.now();
    for (u8 number = 0; number < timers; ++number) {
      if (!counts()) state_.timers[number].edge_high = false;
    }
  }
  if ((changed & legacy_bit) != 0) {
    state_.legacy = {context_.ledger.context.address, context_.clock.now()};
    // The lines change hands: nobody's edge goes over.
    for (u8 number = 0; number < 2; ++number) state_.timers[number].edge_high = false;
    for (const LineDriver* line : {&wiring_.irq0, &wiring_.irq8}) line->set(Level::Low);
  }
  schedule_all();
}

void Hpet::configure_timer(u8 number, u64 value) {
  Timer& timer = state_.timers[number];
  u64 wanted = value & timer_writable;
  // HPET 2.3.8: a route that is not supported does not read back.
  if (!bit(route_capabilities(), static_cast<unsigned>(bits(wanted, route_high, route_low)))) {
    wanted = (wanted & ~route_mask) | (timer.configuration & route_mask);
  }
  if (wiring_.messages == nullptr) wanted &= ~fsb_enable_bit;
  if (!is_periodic(wanted)) wanted &= ~set_accumulator_bit;
  follow(number);
  const u64 old = std::exchange(timer.configuration, wanted);
  if (old == wanted) return;
  programmed(ControllerRegister::HpetTimer, number, old, wanted);
  timer.set = {context_.ledger.context.address, context_.clock.now()};
  static constexpr u64 moves_the_line = level_bit | interrupt_enable_bit | route_mask | fsb_enable_bit;
  if (((old ^ wanted) & moves_the_line) != 0) timer.edge_high = false;
  // HPET 2.3.6: of an edge-type timer the status bit is always 0.
  if (!is_level(wanted)) state_.status = with_bit(state_.status, number, false);
  if (((old ^ wanted) & narrow_bit) != 0) timer.comparator &= width_mask(wanted);
  schedule(number);
}

// HPET 2.3.9.2: a write in periodic mode sets the period, and with the set-accumulator bit, which it clears, the next
// match too.
void Hpet::set_comparator(u8 number, u64 value, u64 written) {
  follow(number);
  Timer& timer = state_.timers[number];
  const u64 mask = width_mask(timer.configuration);
  const auto merged = [&](u64 old) { return ((old & ~written) | (value & written)) & mask; };
  if (is_periodic(timer.configuration)) timer.period = merged(timer.period);
  if (!is_periodic(timer.configuration) || (timer.configuration & set_accumulator_bit) != 0) {
    timer.comparator = merged(timer.comparator);
  }
  timer.configuration &= ~set_accumulator_bit;
  schedule(number);
}

// Matches.

/// In periodic mode each match since follow() has added the period.
u64 Hpet::comparator_now(const Timer& timer) const {
  const u64 mask = width_mask(timer.configuration);
  const u64 period = timer.period & mask;
  const u64 passed = counter() - timer.followed;
  if (!counts() || !is_periodic(timer.configuration) || period == 0 || passed == 0) return timer.comparator;
  const u64 before = (timer.comparator - timer.followed - 1) & mask;  // one less than the steps to the first match
  if (passed - 1 < before) return timer.comparator;
  return (timer.comparator + (1 + (passed - 1 - before) / period) * period) & mask;
}

void Hpet::follow(u8 number) {
  Timer& timer = state_.timers[number];
  timer.comparator = comparator_now(timer);
  timer.followed = counter();
}

bool Hpet::match_changes_nothing(u8 number) const {
  const u64 configuration = state_.timers[number].configuration;
  if (is_level(configuration) && !bit(state_.status, number)) return false;
  return !is_enabled(configuration) || (is_level(configuration) && !sends_messages(number));
}

void Hpet::schedule(u8 number, u64 least) {
  follow(number);
  const Timer& timer = state_.timers[number];
  const u64 mask = width_mask(timer.configuration);
  u64 steps = (timer.comparator - counter() - 1) & mask;  // one less: of 2^64 steps there is no number
  const u64 period = timer.period & mask;
  if (is_periodic(timer.configuration) && period != 0 && period < least && steps + 1 < least) {
    steps += (least - steps - 2 + period) / period * period;
  }
  if (!counts() || match_changes_nothing(number) || steps >= furthest) {
    return context_.events.cancel(context_.id, number);
  }
  const u64 counted = (context_.clock.now().value - state_.started.value) / period_ns;
  context_.events.reschedule(Tick(state_.started.value + (counted + steps + 1) * period_ns), context_.id, number);
}

void Hpet::schedule_all() {
  for (u8 number = 0; number < timers; ++number) schedule(number);
}

void Hpet::event(u16 kind, u64) {
  if (kind >= timers || !counts()) return;
  match(static_cast<u8>(kind));
  schedule(static_cast<u8>(kind), least_period);
  update();
}

void Hpet::match(u8 number) {
  Timer& timer = state_.timers[number];
  follow(number);
  if (is_level(timer.configuration)) state_.status = with_bit(state_.status, number, true);
  if (!is_enabled(timer.configuration)) return;
  if (sends_messages(number)) return send_message(number);
  if (!line_of(number).connected()) return report_no_line(number);
  if (is_level(timer.configuration)) return;
  if (std::exchange(timer.edge_high, true)) line_of(number).end_pulse();
}

void Hpet::report_no_line(u8 number) {
  Timer& timer = state_.timers[number];
  const Withholding now{WithheldCause::OutputGateOff, timer.set};
  if (timer.told == now) return;
  timer.told = now;
  context_.ledger.append({.address = now.setting.by,
                          .since = now.setting.since.value,
                          .extra = cause_of(number),
                          .kind = RecordKind::Withheld,
                          .pin = route(number),
                          .detail = static_cast<u8>(now.cause),
                          .source = context_.source.value});
}

void Hpet::send_message(u8 number) {
  const RequestId id = context_.ledger.next_request();
  context_.ledger.append({.id = id.value,
                          .extra = number,
                          .kind = RecordKind::Raised,
                          .pin = message_pin,
                          .detail = cause_of(number),
                          .source = context_.source.value});
  const u64 route = state_.timers[number].fsb_route;
  wiring_.messages->send(route >> 32, static_cast<u32>(route), id, context_.source, message_pin);
}

// The lines.

void Hpet::line_changed(Pin pin, Level level, RequestId request) {
  if (pin.value >= state_.passing.size()) return;
  Passing& passing = state_.passing[pin.value];
  passing.high = level == Level::High;
  passing.request = passing.high ? request : RequestId{};
  const LineDriver& line = pin == pit_pin ? wiring_.irq0 : wiring_.irq8;
  if (!passing.high && request != RequestId{} && !is_legacy()) return line.end_pulse();
  update();
}

void Hpet::pass(u8 which) {
  Passing& passing = state_.passing[which];
  const LineDriver& line = which == pit_pin.value ? wiring_.irq0 : wiring_.irq8;
  if (!is_legacy()) return line.carry(passing.high ? Level::High : Level::Low, passing.request);
  if (!passing.high || (passing.told && passing.told_since == state_.legacy.since)) return;
  passing.told = true;
  passing.told_since = state_.legacy.since;
  context_.ledger.append({.id = passing.request.value,
                          .address = state_.legacy.by,
                          .since = state_.legacy.since.value,
                          .kind = RecordKind::Blocked,
                          .pin = line.number(),
                          .detail = static_cast<u8>(Obstacle::NotConnected),
                          .source = context_.source.value});
}

void Hpet::update() {
  for (u8 which = 0; which < 2; ++which) {
    pass(which);
    if (!is_legacy()) continue;
    const LineDriver& line = which == 0 ? wiring_.irq0 : wiring_.irq8;
    line.set(wants_line(which) ? Level::High : Level::Low, cause_of(which));
  }
  for (u8 at = 0; at < most_routes; ++at) {
    if (!wiring_.routes[at].connected()) continue;
    u8 cause = 0;
    for (u8 number = 0; number < timers && cause == 0; ++number) {
      if (!is_on_legacy_line(number) && route(number) == at && wants_line(number)) cause = cause_of(number);
    }
    wiring_.routes[at].set(cause != 0 ? Level::High : Level::Low, cause);
  }
}

void Hpet::exchange(Archive& archive) {
  archive.section(name(), 2);
  archive(state_.configuration, state_.status, state_.counter, state_.started, state_.legacy, state_.timers,
          state_.passing);
  if (!archive.loading()) return;
  bool plausible = (state_.configuration & ~general_writable) == 0 && (state_.status & ~status_bits) == 0 &&
                   state_.started <= context_.clock.now();
  for (const Timer& timer : state_.timers) {
    plausible = plausible && (timer.configuration & ~timer_writable) == 0 &&
                (wiring_.messages != nullptr || (timer.configuration & fsb_enable_bit) == 0);
  }
  if (!plausible) archive.refuse(Archive::Error::BadValue);
}

}  // namespace vitrine
