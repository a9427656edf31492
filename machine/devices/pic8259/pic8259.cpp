#include "machine/devices/pic8259/pic8259.hpp"

#include <utility>

#include "machine/devices/pic8259/command_words.hpp"

namespace vitrine {

using namespace pic8259;

namespace {

constexpr u8 default_pin = 7;             // DS "IR7 default": answers when nothing requests
constexpr unsigned poll_has_request = 7;  // bit I of the poll word
constexpr Vector floating_bus{0xFF};
constexpr u8 no_pin = 0xFF;

}  // namespace

Pic8259::Pic8259(DeviceContext context, Wiring wiring, LineDriver interrupt_output)
    : context_(context), wiring_(wiring), interrupt_output_(interrupt_output) {
  state_.uninitialised_since = context_.clock.now();
}

std::string_view Pic8259::name() const { return context_.ledger.sources()[context_.source.value]; }

// The chip has no RESET pin: this is power-on. The inputs are what the wires are.
void Pic8259::reset() {
  for (u8 pin = 0; pin < pins; ++pin) drop_request(pin);
  State fresh;
  fresh.lines = state_.lines;
  fresh.armed = static_cast<u8>(~state_.lines);
  fresh.output = state_.output;
  fresh.uninitialised_since = context_.clock.now();
  for (u8 pin = 0; pin < pins; ++pin) fresh.pins[pin].line = fresh.pins[pin].latched = state_.pins[pin].line;
  state_ = fresh;
  update();
  state_.lost = Lost{};
  state_.offered = Pin{};
  state_.offered_request = RequestId{};
}

// Questions.

bool Pic8259::single() const { return bit(state_.icw1, icw1::is_single); }

// DS "Buffered Mode": then the SP/EN pin is an output and a bit of ICW4 says which chip this is.
bool Pic8259::is_primary() const {
  return bit(state_.icw4, icw4::buffered) ? bit(state_.icw4, icw4::buffered_primary) : wiring_.role == Role::Primary;
}

bool Pic8259::has_secondary(u8 pin) const { return !single() && is_primary() && bit(state_.icw3, pin); }

bool Pic8259::level_triggered(u8 pin) const {
  return bit(state_.icw1, icw1::level_triggered) || bit(state_.level, pin);
}

// The in-service bits that take part in priority. DS "Special Mask Mode": a masked one does not.
u8 Pic8259::blocking_service() const {
  return state_.special_mask ? static_cast<u8>(state_.in_service & ~state_.mask) : state_.in_service;
}

std::optional<u8> Pic8259::highest_in_service() const {
  for (u8 rank = 0; rank < pins; ++rank) {
    if (bit(blocking_service(), by_priority(rank))) return by_priority(rank);
  }
  return std::nullopt;
}

std::optional<Pin> Pic8259::winner() const {
  if (!is_initialised()) return std::nullopt;
  const u8 serving = blocking_service();
  for (u8 rank = 0; rank < pins; ++rank) {
    const u8 pin = by_priority(rank);
    // DS "Special Fully Nested Mode": a secondary in service is not locked out by itself.
    const bool may_nest = bit(state_.icw4, icw4::special_fully_nested) && has_secondary(pin);
    const bool is_serving = bit(serving, pin);
    if (bit(state_.requests, pin) && !bit(state_.mask, pin) && (!is_serving || may_nest)) return Pin(pin);
    if (is_serving) return std::nullopt;
  }
  return std::nullopt;
}

// DS "Interrupt Sequence". In MCS-80 mode the second byte is the low half of a CALL's address.
// unverified: that a CPU with two INTA pulses takes that byte as its vector.
Vector Pic8259::vector_of(Pin pin) const {
  const u8 p = pin.value & 7;
  if (bit(state_.icw4, icw4::mode_8086)) return Vector(static_cast<u8>((state_.icw2 & icw2_vector_base) | p));
  if (bit(state_.icw1, icw1::interval_is_four)) {
    return Vector(static_cast<u8>((state_.icw1 & icw1::address_for_four) | p << 2));
  }
  return Vector(static_cast<u8>((state_.icw1 & icw1::address_for_eight) | p << 3));
}

// DS "Poll Command". unverified: with no request the level reads 7, as the resolver's default is elsewhere.
u8 Pic8259::poll_byte() const {
  const std::optional<Pin> pin = winner();
  return pin ? with_bit(pin->value, poll_has_request, true) : default_pin;
}

// Ports.

u8 Pic8259::register_byte(Region region, u64 offset) const {
  if (region == elcr) return offset == 0 ? state_.level : 0xFF;
  if (region != registers || offset > 1) return 0xFF;
  if (state_.poll) return poll_byte();
  if (offset == 1) return state_.mask;
  return state_.read_select == ReadSelect::InService ? state_.in_service : state_.requests;
}

u8 Pic8259::read_byte(Region region, u64 offset) {
  const u8 value = register_byte(region, offset);
  if (region == registers && offset <= 1 && state_.poll) serve_poll();
  return value;
}

void Pic8259::write_byte(Region region, u64 offset, u8 value) {
  const Modes before = modes();
  if (region == elcr && offset == 0) {
    state_.level = value & wiring_.level_capable;
    sense_inputs();
  } else if (region != registers) {
    return;
  } else if (offset == 0) {
    if (bit(value, icw1::marks_icw1)) {
      initialise(value);
    } else if (bit(value, ocw3::marks_ocw3)) {
      control(value);
    } else {
      operation(value);
    }
  } else if (offset == 1) {
    if (state_.step == InitStep::Ready) {
      set_mask(value);
    } else {
      next_initialisation_word(value);
    }
  }
  report_modes(before);
  update();
}

u64 Pic8259::read(Region region, u64 offset, AccessSize size) {
  u64 value = 0;
  for (u8 i = 0; i < size.value; ++i) value |= u64{read_byte(region, offset + i)} << (8 * i);
  return value;
}

u64 Pic8259::peek(Region region, u64 offset, AccessSize size) const {
  u64 value = 0;
  for (u8 i = 0; i < size.value; ++i) value |= u64{register_byte(region, offset + i)} << (8 * i);
  return value;
}

void Pic8259::write(Region region, u64 offset, AccessSize size, u64 value) {
  for (u8 i = 0; i < size.value; ++i) write_byte(region, offset + i, static_cast<u8>(value >> (8 * i)));
}

// DS "Initialization Command Words 1 and 2 (ICW1, ICW2)", what ICW1 does by itself: a to f.
void Pic8259::initialise(u8 value) {
  report_mode(ControllerRegister::Initialised, state_.initialised ? 1 : 0, 0);
  state_.step = InitStep::Icw2;
  state_.initialised = false;
  state_.uninitialised_since = context_.clock.now();
  state_.uninitialised_by = context_.ledger.context.address;
  state_.poll = false;
  // unverified: the list does not name the ISR; an in-service bit that no EOI is coming for would lock the chip.
  for (u8 pin = 0; pin < pins; ++pin) {
    if (bit(state_.in_service, pin)) end_service(pin, EndKind::Initialised);
  }
  for (u8 pin = 0; pin < pins; ++pin) withdraw(pin, std::exchange(state_.pins[pin].lapsed, RequestId{}));
  state_.icw1 = value;
  state_.armed = static_cast<u8>(~state_.lines);  // a: a new low-to-high transition is needed
  set_mask(0);                                    // b
  state_.lowest_priority = 7;                     // c
  state_.icw3 = 7;                                // d
  state_.special_mask = false;                    // e
  state_.read_select = ReadSelect::Requests;
  state_.icw4 = 0;                         // f; with IC4 the chip answers nothing until ICW4 has been written
  state_.rotate_on_automatic_eoi = false;  // unverified: not in the list
  sense_inputs();
}

void Pic8259::next_initialisation_word(u8 value) {
  switch (state_.step) {
    case InitStep::Icw2:
      state_.icw2 = value;
      if (!single()) {
        state_.step = InitStep::Icw3;
      } else {
        finish_initialisation();
      }
      break;
    case InitStep::Icw3:
      state_.icw3 = value;
      finish_initialisation();
      break;
    case InitStep::Icw4:
      state_.icw4 = value;
      become_initialised();
      break;
    case InitStep::Ready:
      break;
  }
}

void Pic8259::finish_initialisation() {
  if (bit(state_.icw1, icw1::needs_icw4)) {
    state_.step = InitStep::Icw4;
  } else {
    become_initialised();
  }
}

void Pic8259::become_initialised() {
  state_.step = InitStep::Ready;
  state_.initialised = true;
  report_mode(ControllerRegister::Initialised, 0, 1);
}

// OCW1.
void Pic8259::set_mask(u8 value) {
  const u8 old = state_.mask;
  if (value == old) return;
  for (u8 pin = 0; pin < pins; ++pin) {
    if (bit(value, pin) == bit(old, pin)) continue;
    const bool sets = bit(value, pin);
    state_.pins[pin].masked_since = sets ? context_.clock.now() : Tick{};
    state_.pins[pin].masked_by = sets ? context_.ledger.context.address : 0;
  }
  state_.mask = value;
  record({.address = context_.ledger.context.address,
          .other = old,
          .extra = value,
          .kind = RecordKind::MaskChanged,
          .pin = wiring_.first_line});
}

// OCW2.
void Pic8259::operation(u8 value) {
  const u8 level = value & 7;
  const auto end_highest = [this]() -> std::optional<u8> {
    const std::optional<u8> pin = highest_in_service();
    if (pin) {
      end_service(*pin, EndKind::NonSpecific);
    } else {
      record({.address = context_.ledger.context.address,
              .kind = RecordKind::EndOfInterrupt,
              .pin = no_pin,
              .detail = static_cast<u8>(EndKind::NonSpecific)});
    }
    return pin;
  };
  switch (static_cast<Operation>(value >> 5)) {
    case Operation::NonSpecificEoi:
      end_highest();
      break;
    case Operation::SpecificEoi:
      end_service(level, EndKind::Specific);
      break;
    case Operation::RotateOnNonSpecificEoi:
      // DS "Automatic Rotation": the served level gets the lowest priority.
      // unverified: with none in service nothing rotates.
      if (const std::optional<u8> pin = end_highest()) state_.lowest_priority = *pin;
      break;
    case Operation::RotateOnSpecificEoi:
      end_service(level, EndKind::Specific);
      state_.lowest_priority = level;
      break;
    case Operation::SetPriority:
      state_.lowest_priority = level;
      break;
    case Operation::RotateOnAutomaticEoi:
      state_.rotate_on_automatic_eoi = true;
      break;
    case Operation::StopRotatingOnAutomaticEoi:
      state_.rotate_on_automatic_eoi = false;
      break;
    case Operation::Nothing:
      break;
  }
}

// OCW3.
void Pic8259::control(u8 value) {
  if (bit(value, ocw3::changes_special_mask)) state_.special_mask = bit(value, ocw3::special_mask);
  if (bit(value, ocw3::read_register)) {
    state_.read_select = bit(value, ocw3::in_service) ? ReadSelect::InService : ReadSelect::Requests;
  }
  // DS "Poll Command": the interrupt is frozen from this write to the read. DS "Reading the 8259A Status": polling
  // overrides a status read. unverified: the selection outlives a poll; the data sheet does not promise it.
  state_.poll = bit(value, ocw3::poll);
  sense_inputs();
}

// Inputs.

void Pic8259::line_changed(Pin pin, Level level, RequestId request) {
  const u8 p = pin.value & 7;
  // The secondary's output goes on with another request: here it is the one that was latched when it rose.
  if (level == Level::High && bit(state_.lines, p)) return;
  PinState& state = state_.pins[p];
  state_.lines = with_bit(state_.lines, p, level == Level::High);
  if (level == Level::High) {
    state.line = request;
  } else {
    const bool pulse_over = request != RequestId{} && !level_triggered(p);
    if (pulse_over && is_waiting(p)) {
      state.lapsed = state.pending;
      state.lapsed_since = state.pending_since;
    }
    if (state.latched != state.line) withdraw(p, state.line);  // it came and went while a poll froze the chip
    state.line = state.latched = RequestId{};
  }
  sense_inputs();
  update();
}

// DS "Edge and Level Triggered Modes" and figure 9 (priority cell): the request stands no longer than the input.
void Pic8259::sense_inputs() {
  state_.armed = static_cast<u8>(state_.armed | ~state_.lines);
  if (state_.poll) return;
  for (u8 pin = 0; pin < pins; ++pin) {
    PinState& state = state_.pins[pin];
    const bool requests = bit(state_.lines, pin) && (level_triggered(pin) || bit(state_.armed, pin));
    const bool requested = bit(state_.requests, pin);
    // A poll freezes the IRR: meanwhile the input may have fallen and risen again.
    const bool another = requested && requests && state.latched != state.line;
    if (another && is_waiting(pin) && secondaries_[pin] == nullptr) {
      merge(pin);
      continue;
    }
    if (requested && (!requests || another)) drop_request(pin, Lapsed::Kept);
    if (requests && (!requested || another)) latch(pin);
  }
}

bool Pic8259::is_waiting(u8 pin) const { return bit(state_.requests, pin) && !bit(state_.held, pin); }

// The IRR bit goes, without an acknowledge.
void Pic8259::drop_request(u8 pin, Lapsed lapsed) {
  PinState& state = state_.pins[pin];
  if (is_waiting(pin) && state.pending != state.lapsed) withdraw(pin, state.pending);
  if (lapsed == Lapsed::Dropped) withdraw(pin, std::exchange(state.lapsed, RequestId{}));
  state_.requests = with_bit(state_.requests, pin, false);
  state_.held = with_bit(state_.held, pin, false);
  state.pending = RequestId{};
  state.pending_since = Tick{};
}

// A level that was served before has had its end; what the secondary withdraws, the secondary says.
void Pic8259::withdraw(u8 pin, RequestId request) {
  const bool has_ended = request == RequestId{} || request == state_.pins[pin].acknowledged;
  if (has_ended || secondaries_[pin] != nullptr) return;
  record({.id = request.value, .kind = RecordKind::Withdrawn, .pin = ledger_pin(pin)});
}

// The wire's request is the same as the one that waits.
void Pic8259::merge(u8 pin) {
  PinState& state = state_.pins[pin];
  state.latched = state.line;
  state.lapsed = RequestId{};
  record({.id = state.line.value, .other = state.pending.value, .kind = RecordKind::Merged, .pin = ledger_pin(pin)});
}

void Pic8259::latch(u8 pin) {
  PinState& state = state_.pins[pin];
  state_.requests = with_bit(state_.requests, pin, true);
  state_.held = with_bit(state_.held, pin, false);
  if (state.lapsed != RequestId{}) {
    state.pending = state.lapsed;
    state.pending_since = state.lapsed_since;
    return merge(pin);
  }
  state.latched = state.pending = state.line;
  state.pending_since = context_.clock.now();
  state.told.fill(false);
  record({.id = state.pending.value, .kind = RecordKind::Latched, .pin = ledger_pin(pin)});
}

// Acknowledge.

// The winner leaves the IRR; a level input that stays high keeps its bit, but not as a new request.
RequestId Pic8259::take(u8 pin) {
  PinState& state = state_.pins[pin];
  const RequestId request = state.pending;
  state.acknowledged = request;
  state.lapsed = RequestId{};
  state_.armed = with_bit(state_.armed, pin, !bit(state_.lines, pin));
  if (level_triggered(pin) && bit(state_.lines, pin)) {
    state_.held = with_bit(state_.held, pin, true);
  } else {
    state_.requests = with_bit(state_.requests, pin, false);
    state.pending = RequestId{};
    state.pending_since = Tick{};
  }
  state_.lost = Lost{};
  return request;
}

void Pic8259::enter_service(u8 pin, RequestId request) {
  PinState& state = state_.pins[pin];
  state_.in_service = with_bit(state_.in_service, pin, true);
  state.serving = request;
  state.in_service_since = context_.clock.now();
  state.in_service_by = context_.ledger.context.address;
  record({.id = request.value, .kind = RecordKind::InService, .pin = ledger_pin(pin)});
}

void Pic8259::end_service(u8 pin, EndKind kind) {
  PinState& state = state_.pins[pin];
  record({.id = state.serving.value,
          .address = context_.ledger.context.address,
          .kind = RecordKind::EndOfInterrupt,
          .pin = ledger_pin(pin),
          .detail = static_cast<u8>(kind)});
  state_.in_service = with_bit(state_.in_service, pin, false);
  state.serving = RequestId{};
  state.in_service_since = Tick{};
  state.in_service_by = 0;
  if (bit(state_.held, pin)) latch(pin);  // the level is still there: it requests again
}

// DS "Automatic End of Interrupt Mode" and "Automatic Rotation".
void Pic8259::end_automatically(u8 pin) {
  if (!bit(state_.icw4, icw4::automatic_eoi)) return;
  end_service(pin, EndKind::Automatic);
  if (!state_.rotate_on_automatic_eoi) return;
  report_mode(ControllerRegister::Rotation, std::exchange(state_.lowest_priority, pin), pin);
}

// INT is low from the first INTA pulse to the last: a cascaded input of the primary sees a new edge if more is to come.
Acknowledged Pic8259::acknowledge() {
  const std::optional<Pin> pin = winner();
  state_.acknowledging = true;
  update();
  const Acknowledged answer = pin ? serve(pin->value) : spurious();
  state_.acknowledging = false;
  update();
  return answer;
}

std::optional<Acknowledged> Pic8259::cascade_acknowledge(Pin number) {
  if (!is_initialised() || single() || is_primary() || (state_.icw3 & icw3_number) != number.value) return std::nullopt;
  return acknowledge();
}

Acknowledged Pic8259::serve(u8 pin) {
  const RequestId request = take(pin);
  Acknowledged answer{vector_of(Pin(pin)), request, false};
  AcknowledgeKind kind = AcknowledgeKind::Vector;
  bool is_ours = true;
  if (has_secondary(pin)) {
    CascadeListener* secondary = secondaries_[pin];
    const std::optional<Acknowledged> theirs = secondary ? secondary->cascade_acknowledge(Pin(pin)) : std::nullopt;
    is_ours = !theirs;
    if (theirs) {
      answer = *theirs;
    } else {
      // unverified: nobody drives the data bus, and a floating ISA bus reads as ones.
      answer.vector = floating_bus;
      kind = AcknowledgeKind::NoSecondary;
    }
  }
  if (is_ours) {
    record({.id = request.value,
            .kind = RecordKind::Acknowledged,
            .vector = answer.vector.value,
            .pin = ledger_pin(pin),
            .detail = static_cast<u8>(kind)});
  }
  enter_service(pin, answer.request);
  end_automatically(pin);
  return answer;
}

// DS "Edge and Level Triggered Modes": the default IR7. No ISR bit is set.
Acknowledged Pic8259::spurious() {
  const Vector vector = vector_of(Pin(default_pin));
  record({.address = state_.lost.address,
          .other = state_.lost.request.value,
          .since = state_.lost.since.value,
          .kind = RecordKind::Spurious,
          .vector = vector.value,
          .pin = ledger_pin(default_pin),
          .detail = static_cast<u8>(is_initialised() ? state_.lost.cause : SpuriousCause::NotInitialised)});
  state_.lost = Lost{};
  return {vector, RequestId{}, true};
}

// DS "Poll Command": the read is an acknowledge.
// unverified: AEOI ends it as it ends the CPU's; a secondary on the pin is not acknowledged, it has to be polled.
void Pic8259::serve_poll() {
  const std::optional<Pin> pin = winner();
  state_.acknowledging = true;
  update();
  if (pin) {
    const RequestId request = take(pin->value);
    record({.id = request.value,
            .kind = RecordKind::Acknowledged,
            .pin = ledger_pin(pin->value),
            .detail = static_cast<u8>(AcknowledgeKind::Poll)});
    enter_service(pin->value, request);
    end_automatically(pin->value);
  }
  state_.poll = false;
  sense_inputs();
  state_.acknowledging = false;
  update();
}

// Output.

// unverified: INT falls at once when the last request does (the data sheet gives no time for it). A spurious interrupt
// then needs a CPU that had already decided to acknowledge.
void Pic8259::update() {
  const std::optional<Pin> pin = state_.acknowledging ? std::nullopt : winner();
  if (!state_.acknowledging) {
    report_obstacles();
    if (state_.output && !pin) remember_lost();
  }
  state_.output = pin.has_value();
  state_.offered = pin.value_or(Pin{});
  state_.offered_request = pin ? state_.pins[pin->value].pending : RequestId{};
  interrupt_output_.carry(pin ? Level::High : Level::Low, state_.offered_request);
}

// State.

void Pic8259::PinState::exchange(Archive& archive) {
  archive(line, latched, pending, pending_since, lapsed, lapsed_since, acknowledged, serving, in_service_since,
          in_service_by, masked_since, masked_by);
  archive(told, told_since, told_other);
}

void Pic8259::State::exchange(Archive& archive) {
  archive(icw1, icw2, icw3, icw4, step, initialised, uninitialised_since, uninitialised_by);
  archive(lines, armed, requests, held, in_service, mask, level, lowest_priority);
  archive(rotate_on_automatic_eoi, special_mask, poll, read_select, output, offered, offered_request, lost, pins);
  const bool plausible = step <= InitStep::Icw4 && lowest_priority < Pic8259::pins && offered.value < Pic8259::pins &&
                         read_select <= ReadSelect::InService && lost.cause <= SpuriousCause::NotInitialised;
  if (!plausible) archive.refuse(Archive::Error::BadValue);
}

void Pic8259::exchange(Archive& archive) {
  archive.section(name(), 2);
  State loaded = state_;
  loaded.exchange(archive);
  if ((loaded.level & ~wiring_.level_capable) != 0) archive.refuse(Archive::Error::BadValue);
  if (archive.loading() && archive.ok()) state_ = loaded;
}

}  // namespace vitrine
