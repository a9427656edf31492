// What the 8259 tells of itself: who is in whose way and since when, and the records that say so.
#include "machine/devices/pic8259/command_words.hpp"
#include "machine/devices/pic8259/pic8259.hpp"

namespace vitrine {

using namespace pic8259;

Pic8259::Obstruction Pic8259::obstruction(u8 pin) const {
  const PinState& state = state_.pins[pin];
  if (!bit(state_.requests, pin) || bit(state_.held, pin)) return {};
  if (!is_initialised()) return {Obstacle::NotInitialised, state_.uninitialised_by, state_.uninitialised_since, {}};
  if (bit(state_.mask, pin)) {
    return {has_secondary(pin) ? Obstacle::CascadeMasked : Obstacle::Masked, state.masked_by, state.masked_since, {}};
  }
  const std::optional<Pin> first = winner();
  if (first == Pin(pin)) return {};
  if (first) {
    const PinState& other = state_.pins[first->value];
    return {Obstacle::HigherPending, 0, other.pending_since, other.pending};
  }
  const std::optional<u8> serving = highest_in_service();
  if (!serving) return {};
  const PinState& other = state_.pins[*serving];
  return {Obstacle::InServiceHigher, other.in_service_by, other.in_service_since, other.serving};
}

Pic8259::PinView Pic8259::view(Pin pin) const {
  const u8 p = pin.value & 7;
  const PinState& state = state_.pins[p];
  const bool held = bit(state_.held, p);
  return {.input = bit(state_.lines, p) ? Level::High : Level::Low,
          .level_triggered = level_triggered(p),
          .requested = bit(state_.requests, p),
          .pending = held ? RequestId{} : state.pending,
          .pending_since = held ? Tick{} : state.pending_since,
          .obstruction = obstruction(p),
          .in_service = bit(state_.in_service, p),
          .serving = state.serving,
          .in_service_since = state.in_service_since,
          .in_service_by = state.in_service_by,
          .masked = bit(state_.mask, p),
          .masked_since = state.masked_since,
          .masked_by = state.masked_by,
          .has_secondary = has_secondary(p)};
}

void Pic8259::record(Record record) const {
  record.source = context_.source.value;
  context_.ledger.append(record);
}

void Pic8259::remember_lost() {
  const u8 pin = state_.offered.value;
  SpuriousCause cause = SpuriousCause::Outranked;
  if (!is_initialised()) {
    cause = SpuriousCause::NotInitialised;
  } else if (!bit(state_.requests, pin)) {
    cause = SpuriousCause::InputFell;
  } else if (bit(state_.mask, pin)) {
    cause = SpuriousCause::Masked;
  }
  state_.lost = {cause, state_.offered_request, context_.ledger.context.address, context_.clock.now()};
}

// One Blocked record per request and obstacle: the same obstacle set again, or another request in the way, is new.
void Pic8259::report_obstacles() {
  for (u8 pin = 0; pin < pins; ++pin) {
    const Obstruction found = obstruction(pin);
    if (found.obstacle == Obstacle::None) continue;
    PinState& state = state_.pins[pin];
    const auto kind = static_cast<std::size_t>(found.obstacle);
    if (state.told[kind] && state.told_since[kind] == found.since && state.told_other[kind] == found.other) continue;
    state.told[kind] = true;
    state.told_since[kind] = found.since;
    state.told_other[kind] = found.other;
    record({.id = state.pending.value,
            .address = found.address,
            .other = found.other.value,
            .since = found.since.value,
            .kind = RecordKind::Blocked,
            .pin = ledger_pin(pin),
            .detail = static_cast<u8>(found.obstacle)});
  }
}

Pic8259::Modes Pic8259::modes() const {
  const auto number = [](bool set) -> u8 { return set ? 1 : 0; };
  return {.vector_base = state_.icw2,
          .automatic = number(bit(state_.icw4, icw4::automatic_eoi)),
          .special_fully_nested = number(bit(state_.icw4, icw4::special_fully_nested)),
          .special_mask = number(state_.special_mask),
          .level = bit(state_.icw1, icw1::level_triggered) ? u8{0xFF} : state_.level,
          .lowest_priority = state_.lowest_priority};
}

void Pic8259::report_modes(const Modes& before) {
  const Modes now = modes();
  const auto compare = [this](ControllerRegister which, u8 old, u8 value) {
    if (old != value) report_mode(which, old, value);
  };
  compare(ControllerRegister::VectorBase, before.vector_base, now.vector_base);
  compare(ControllerRegister::Automatic, before.automatic, now.automatic);
  compare(ControllerRegister::SpecialFullyNested, before.special_fully_nested, now.special_fully_nested);
  compare(ControllerRegister::SpecialMask, before.special_mask, now.special_mask);
  compare(ControllerRegister::EdgeLevel, before.level, now.level);
  compare(ControllerRegister::Rotation, before.lowest_priority, now.lowest_priority);
}

void Pic8259::report_mode(ControllerRegister which, u8 before, u8 now) {
  record({.address = context_.ledger.context.address,
          .other = before,
          .extra = now,
          .kind = RecordKind::ControllerProgrammed,
          .pin = wiring_.first_line,
          .detail = static_cast<u8>(which)});
}

}  // namespace vitrine
