// Local sources: the LVT, the LINT pins, errors.
#include <utility>

#include "base/bits.hpp"
#include "machine/devices/local_apic/local_apic.hpp"
#include "machine/devices/local_apic/registers.hpp"

namespace vitrine {

using namespace apic;

namespace {

constexpr bool is_pin(ApicPin source) { return source == ApicPin::Lint0 || source == ApicPin::Lint1; }

/// Figure 10-8.
constexpr u32 writable_bits(ApicPin source) {
  switch (source) {
    case ApicPin::Timer:
      return 0x000700FF;
    case ApicPin::Error:
      return 0x000100FF;
    case ApicPin::Lint0:
    case ApicPin::Lint1:
      return 0x0001A7FF;
    default:
      return 0x000107FF;
  }
}

}  // namespace

// §10.5.1: the timer's and the error's entries have no delivery mode.
MessageMode LocalApic::mode_of(ApicPin source) const {
  if (source == ApicPin::Timer || source == ApicPin::Error) return MessageMode::Fixed;
  return static_cast<MessageMode>(bits(local_vector(source), 10, 8));
}

bool LocalApic::masked(ApicPin source) const { return bit(local_vector(source), lvt_mask); }

/// A source of the APIC's own has something to say.
void LocalApic::raise(ApicPin source) {
  const RequestId request = context_.ledger.next_request();
  record({.id = request.value, .kind = RecordKind::Raised, .pin = static_cast<u8>(source)});
  if (masked(source) || !globally_enabled()) return tell_entry_masked(source, request);
  deliver(source, request);
  // §10.5.1: the mask bit is set when the performance counter's interrupt is delivered.
  if (source == ApicPin::Performance) write_local_vector(source, local_vector(source) | lvt_masked);
}

void LocalApic::raise_local(Source source) {
  raise(source == Source::PerformanceCounter ? ApicPin::Performance : ApicPin::Cmci);
}

void LocalApic::deliver(ApicPin source, RequestId request) {
  const u32 entry = local_vector(source);
  const auto vector = static_cast<u8>(entry);
  switch (mode_of(source)) {
    case MessageMode::Fixed: {
      const bool level = is_pin(source) && bit(entry, lvt_level);
      if (level) lvt(source) = with_bit(entry, lvt_remote_irr, true);
      return latch(vector, request, static_cast<u8>(source), level);
    }
    case MessageMode::Nmi:
      return pins_.nmi(request);
    // §10.5.1: INIT and ExtINT are supported of the pins only.
    case MessageMode::Init:
      if (is_pin(source)) return pins_.init(request);
      break;
    case MessageMode::ExtInt:
      if (is_pin(source)) return update();  // a level, which it sees
      break;
    default:
      break;
  }
  record({.id = request.value,
          .kind = RecordKind::MessageLost,
          .vector = vector,
          .pin = static_cast<u8>(source),
          .detail = static_cast<u8>(mode_of(source) == MessageMode::Smi ? MessageLoss::Unsupported
                                                                        : MessageLoss::ReservedMode)});
}

/// LINT0 or LINT1 after a change of the wire or of its entry.
void LocalApic::sense(InputPin pin) {
  const ApicPin source = pin == lint0 ? ApicPin::Lint0 : ApicPin::Lint1;
  Input& input = state_.inputs[pin];
  const u32 entry = local_vector(source);
  input.was_open |= !bit(entry, lvt_mask);
  const bool was_active = std::exchange(input.active, input.high != bit(entry, lvt_polarity));
  if (!input.active || !globally_enabled()) return;
  const bool rises = !was_active;
  const bool level = mode_of(source) == MessageMode::Fixed && bit(entry, lvt_level);
  const bool asks_always = level || mode_of(source) == MessageMode::ExtInt;
  if (!rises && !asks_always) return;
  if (input.request == RequestId{}) {  // active low: nobody drives the line
    input.request = context_.ledger.next_request();
    record({.id = input.request.value, .kind = RecordKind::Raised, .pin = static_cast<u8>(source)});
  }
  if (masked(source)) {
    // The wires of the 8259s and of NMI go to all local APICs and are meant for one: the first one's, or whose entry
    // has been open.
    const bool is_the_way = identity_.start == Start::Bootstrap || input.was_open;
    if (is_the_way && !std::exchange(input.told, true)) tell_entry_masked(source, input.request);
    return;
  }
  if (mode_of(source) == MessageMode::ExtInt || (level && bit(entry, lvt_remote_irr))) return;
  deliver(source, source == ApicPin::Lint1 ? own_request(input.request) : input.request);
}

/// The NMI wire ends at all CPUs: each but the first one gets a request of its own.
RequestId LocalApic::own_request(RequestId of_wire) {
  if (identity_.start == Start::Bootstrap) return of_wire;
  const RequestId own = context_.ledger.next_request();
  record({.id = own.value, .other = of_wire.value, .kind = RecordKind::Copied});
  return own;
}

void LocalApic::line_changed(Pin pin, Level level, RequestId request) {
  if (pin.value > intr) return;
  Input& input = state_.inputs[pin.value];
  const bool rises = level == Level::High && !input.high;
  input.high = level == Level::High;
  if (!input.high) request = RequestId{};
  if (input.request != request) input.told = false;
  input.request = request;
  if (pin.value != intr) sense(static_cast<InputPin>(pin.value));
  // §10.4.3: without the APIC, LINT1 is NMI.
  if (pin.value == lint1 && rises && !globally_enabled()) pins_.nmi(own_request(request));
  update();
}

void LocalApic::write_local_vector(ApicPin source, u32 value) {
  const u32 before = local_vector(source);
  const u32 writable = writable_bits(source);
  u32 after = (before & ~writable) | (value & writable);
  if (!software_enabled()) after |= lvt_masked;  // §10.4.7.2
  if (!bit(after, lvt_level)) after = with_bit(after, lvt_remote_irr, false);
  const TimerMode mode_before = timer_mode();
  if (source == ApicPin::Timer && state_.timer.resting) follow_periods();
  lvt(source) = after;
  if (before != after) {
    state_.lvt_set[index_of(source)] = here();
    programmed(ControllerRegister::LocalVector, before, after, static_cast<u8>(source));
  }
  if (source == ApicPin::Timer) {
    // §10.5.4.1: to TSC-deadline mode and back disarms. The other modes go on with the count.
    if ((mode_before == TimerMode::Deadline) != (timer_mode() == TimerMode::Deadline)) {
      state_.timer.expires = never;
      state_.timer.deadline = 0;
      state_.timer.initial_count = 0;
    }
    state_.timer.told = false;
    schedule_timer();
  } else if (is_pin(source)) {
    const InputPin pin = source == ApicPin::Lint0 ? lint0 : lint1;
    state_.inputs[pin].told = false;
    sense(pin);
  }
  update();
}

// §10.4.7.2: disabled by software, all entries are masked.
void LocalApic::mask_all() {
  for (std::size_t i = 0; i < sources; ++i) {
    const auto source = static_cast<ApicPin>(static_cast<std::size_t>(ApicPin::Timer) + i);
    write_local_vector(source, local_vector(source) | lvt_masked);
  }
}

// §10.5.3: an error is collected until the next write of ESR, which also arms the interrupt again.
void LocalApic::log_error(u32 error) {
  const bool armed = state_.errors == 0;
  state_.errors |= error;
  if (!armed) return;
  // An error entry with an illegal vector is itself an error, which by now does not raise it again.
  raise(ApicPin::Error);
}

}  // namespace vitrine
